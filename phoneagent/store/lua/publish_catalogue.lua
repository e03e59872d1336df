-- Publish stock as the next catalogue version; keep the newest versions.
-- KEYS: catalogue list, version counter   ARGV: clock, pools JSON, how many to keep   → {version, now_ms}
local version = redis.call('INCR', KEYS[2])
redis.call('LPUSH', KEYS[1], cjson.encode({version = version, as_of_ms = string.format('%.0f', now_ms)}) .. '\n' .. ARGV[2])
redis.call('LTRIM', KEYS[1], 0, tonumber(ARGV[3]) - 1)
redis.call('PUBLISH', 'wake', 'catalogue')
return {version, now_ms}
