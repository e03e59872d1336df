-- Prelude of every script: raw_ms (the store's own clock) and now_ms (plus the dev offset, or injected by a test).
-- ARGV[1]: 'server' | 'dev' | unix ms as text.   Leases and the abandon timer run on raw_ms, everything else on now_ms.
local function read_clock()
  local injected = tonumber(ARGV[1])
  if injected then return injected, injected end
  local t = redis.call('TIME')
  local raw = tonumber(t[1]) * 1000 + math.floor(tonumber(t[2]) / 1000)
  if ARGV[1] ~= 'dev' then return raw, raw end
  return raw, raw + tonumber(redis.call('GET', 'clock:offset_ms') or '0')
end
local raw_ms, now_ms = read_clock()
