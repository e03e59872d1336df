-- Add to the audit trail, unless the same was told a short time ago.
-- KEYS: trail, told   ARGV: clock, entry as JSON, once in so many ms (0: always)
if ARGV[3] ~= '0' and not redis.call('SET', KEYS[2], 1, 'NX', 'PX', ARGV[3]) then return 0 end
local entry = cjson.decode(ARGV[2])
entry.at_ms = string.format('%.0f', now_ms)
redis.call('XADD', KEYS[1], '*', 'entry', cjson.encode(entry))
return 1
