-- Somebody waits for a rental's SMS: note until when, and let its next status question be due soon.
-- KEYS: rental, due set of polls   ARGV: clock, id, for how many ms, due within so many ms
-- → 1 | 0 (no status question is due any more)
local at = redis.call('ZSCORE', KEYS[2], ARGV[2])
if not at then return 0 end
redis.call('HSET', KEYS[1], 'attended_until_ms', string.format('%.0f', now_ms + tonumber(ARGV[3])))
local soon = now_ms + tonumber(ARGV[4])
if tonumber(at) > soon then
  redis.call('ZADD', KEYS[2], soon, ARGV[2])
  redis.call('PUBLISH', 'wake', 'jobs:poll')
end
return 1
