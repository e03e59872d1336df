-- Take strays that are due, oldest first. Each is put off meanwhile, so that a dead worker's come back.
-- KEYS: strays by due time   ARGV: clock, put off by ms, most, prefix of activation keys, prefix of stray keys
-- → {{owner or '', flat fields}, …}
local taken = {}
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_ms, 'LIMIT', 0, ARGV[3])) do
  local fields = redis.call('HGETALL', ARGV[5] .. id)
  redis.call('ZADD', KEYS[1], now_ms + tonumber(ARGV[2]), id)
  taken[#taken + 1] = {redis.call('GET', ARGV[4] .. id) or '', fields}
end
return taken
