-- Claim an upstream activation for a rental unless another rental has it, or this rental has another. Repeatable.
-- What is claimed late, or stays nobody's, is written down as a possible stray by this very script (I4).
-- KEYS: activation → rental, rental → activation, strays by due time, stray
-- ARGV: clock, rental id, activation id, activation JSON, lifetime ms, in time before (unix ms), look after ms
-- → owner's id | '' (nobody's: the rental has an activation already)
local owner = redis.call('GET', KEYS[1])
if not owner and redis.call('EXISTS', KEYS[2]) == 0 then
  owner = ARGV[2]
  redis.call('SET', KEYS[1], owner, 'PX', ARGV[5])
  redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[5])
end
if not owner or (owner == ARGV[2] and now_ms >= tonumber(ARGV[6])) then
  redis.call('HSET', KEYS[4], 'activation', ARGV[4]) -- one that has ended forgot its number
  redis.call('HSETNX', KEYS[4], 'found_at_ms', string.format('%.0f', now_ms))
  redis.call('HSET', KEYS[4], 'is_ours', 1)
  redis.call('HDEL', KEYS[4], 'ended_as', 'evidence', 'ended_at_ms') -- it may have been reported as anybody's
  redis.call('PERSIST', KEYS[4])
  redis.call('ZADD', KEYS[3], 'NX', now_ms + tonumber(ARGV[7]), ARGV[3])
end
return owner or ''
