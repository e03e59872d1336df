-- Switch something off or on, write the audit trail and wake every process, or do none of it.
-- KEYS: switches, trail   ARGV: clock, switch, 1 (off) or 0 (on), JSON {reason, by}, trail entry as JSON
-- → 1 | 0 (it was on: nothing was written)
local at_ms = string.format('%.0f', now_ms)
local function dated(text)
  local told = cjson.decode(text)
  told.at_ms = at_ms
  return cjson.encode(told)
end
if ARGV[3] == '1' then
  redis.call('HSET', KEYS[1], ARGV[2], dated(ARGV[4]))
elseif redis.call('HDEL', KEYS[1], ARGV[2]) == 0 then
  return 0
end
redis.call('XADD', KEYS[2], '*', 'entry', dated(ARGV[5]))
redis.call('PUBLISH', 'wake', 'switches')
return 1
