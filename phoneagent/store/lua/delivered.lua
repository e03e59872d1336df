-- Return the counts of the last days.
-- KEYS: delivered   ARGV: clock, days   → field, count, …
local oldest = math.floor(now_ms / 86400000) - tonumber(ARGV[2]) + 1
local flat = redis.call('HGETALL', KEYS[1])
local found = {}
for i = 1, #flat, 2 do
  local day = tonumber(string.match(flat[i], '^(%d+):'))
  if day and day >= oldest then
    found[#found + 1] = flat[i]
    found[#found + 1] = flat[i + 1]
  end
end
return found
