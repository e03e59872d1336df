-- Tell one process in every so many ms to ask the host for its list.
-- KEYS: time of the next sweep   ARGV: clock, pause ms   → 1 | 0
if tonumber(redis.call('GET', KEYS[1]) or '0') > now_ms then return 0 end
redis.call('SET', KEYS[1], string.format('%.0f', now_ms + tonumber(ARGV[2])))
return 1
