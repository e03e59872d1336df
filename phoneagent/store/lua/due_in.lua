-- How long until the next entry of a due set.
-- KEYS: due set   ARGV: clock, 'raw' when this job runs on the raw clock   → ms (0: one is due) | -1 (the set is empty)
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if not first[2] then return -1 end
return math.max(0, math.ceil(tonumber(first[2]) - (ARGV[2] == 'raw' and raw_ms or now_ms)))
