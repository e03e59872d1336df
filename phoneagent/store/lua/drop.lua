-- Give a lease back. What a job that found it busy has put off is due at the record's own times again.
-- KEYS: rental, then one due set per job kind in the order of the times
-- ARGV: clock, fence, id, wake text, abandon index, abandon_ms, then due times in ms (-1: leave that set alone)
-- → 1 | 0 (not ours any more)
if redis.call('HGET', KEYS[1], 'lease_fence') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'lease_until', 0)
for i = 2, #KEYS do
  local at = tonumber(ARGV[5 + i])
  if at and at >= 0 then redis.call('ZADD', KEYS[i], 'XX', at, ARGV[3]) end
end
redis.call('ZADD', KEYS[1 + tonumber(ARGV[5])], 'XX', raw_ms + tonumber(ARGV[6]), ARGV[3])
redis.call('PUBLISH', 'wake', ARGV[4])
return 1
