-- Publish stock as the next catalogue version; forget a version once its successor is older than the price grace.
-- KEYS: catalogue list, version counter   ARGV: clock, pools JSON, price grace ms   → {version, now_ms}
local version = redis.call('INCR', KEYS[2])
redis.call('LPUSH', KEYS[1], cjson.encode({version = version, as_of_ms = string.format('%.0f', now_ms)}) .. '\n' .. ARGV[2])
while true do
  local successor = redis.call('LINDEX', KEYS[1], -2)
  if not successor then break end
  local head = cjson.decode(string.match(successor, '^[^\n]*'))
  if tonumber(head.as_of_ms) >= now_ms - tonumber(ARGV[3]) then break end
  redis.call('RPOP', KEYS[1])
end
redis.call('PUBLISH', 'wake', 'catalogue')
return {version, now_ms}
