-- Write the end of a stray with its evidence and its ledger entries, once (I4, I9); its number is forgotten.
-- KEYS: stray, strays by due time, ledger
-- ARGV: clock, activation id, end, evidence, lifetime ms, activation JSON without the number, then ledger entries as JSON   → 1 | 0 (it has ended before)
redis.call('ZREM', KEYS[2], ARGV[2])
if redis.call('HSETNX', KEYS[1], 'ended_as', ARGV[3]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'evidence', ARGV[4], 'ended_at_ms', string.format('%.0f', now_ms), 'activation', ARGV[6])
redis.call('PEXPIRE', KEYS[1], ARGV[5])
for i = 7, #ARGV do redis.call('XADD', KEYS[3], '*', 'entry', ARGV[i]) end
return 1
