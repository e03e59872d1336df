-- Change a provider's breaker unless somebody else has changed it since it was read, and wake who knows it.
-- KEYS: breaker   ARGV: clock, JSON as it was read or '', JSON to be   → JSON as it was when this ran, or ''
local told = redis.call('GET', KEYS[1]) or ''
if told == ARGV[2] then
  redis.call('SET', KEYS[1], ARGV[3])
  redis.call('PUBLISH', 'wake', 'breakers')
end
return told
