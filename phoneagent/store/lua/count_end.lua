-- Count a rental that has ended, in the field of its day, pair and fate; drop days that no longer count.
-- KEYS: delivered   ARGV: clock, COUNTRY:SERVICE, 1 with an SMS or 0, days   → 1
local day = math.floor(now_ms / 86400000)
local last = redis.call('HGET', KEYS[1], 'day')
if last ~= tostring(day) then
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    local of_day = tonumber(string.match(field, '^(%d+):'))
    if of_day and of_day <= day - tonumber(ARGV[4]) then redis.call('HDEL', KEYS[1], field) end
  end
  redis.call('HSET', KEYS[1], 'day', day)
end
redis.call('HINCRBY', KEYS[1], day .. ':' .. ARGV[2] .. ':' .. ARGV[3], 1)
return 1
