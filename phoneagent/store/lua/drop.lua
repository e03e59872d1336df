-- Give a lease back. What a job that found it busy has put off is due at the record's own times again.
-- KEYS: rental, then one due set per job kind in the order of the times
-- ARGV: clock, fence, id, topics of the job kinds by spaces, abandon index, abandon_ms, then due times in ms
--       (-1: leave that set alone)
-- → 1 | 0 (not ours any more)
if redis.call('HGET', KEYS[1], 'lease_fence') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'lease_until', 0)
local wake, i = ARGV[3], 1
for topic in string.gmatch(ARGV[4], '%S+') do
  i = i + 1
  local at = tonumber(ARGV[5 + i])
  if at >= 0 and redis.call('ZADD', KEYS[i], 'XX', 'CH', at, ARGV[3]) == 1 then wake = wake .. ' ' .. topic end
end
redis.call('ZADD', KEYS[1 + tonumber(ARGV[5])], 'XX', raw_ms + tonumber(ARGV[6]), ARGV[3])
redis.call('PUBLISH', 'wake', wake)
return 1
