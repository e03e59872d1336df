-- What a provider's budget of calls has left for all processes together, kept as the moment at which it is full (GCRA).
-- KEYS: budget   ARGV: clock, ms between two calls, burst, how many are kept back from this caller, 1 to take one,
--                lifetime ms
-- → {how many this caller could take, ms until it can take one (0: now)}
local interval, burst, keep = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local full_at = tonumber(redis.call('GET', KEYS[1]) or '0')
full_at = math.min(math.max(full_at, now_ms), now_ms + burst * interval)
local room_at = full_at - (burst - keep - 1) * interval
local free = math.floor((now_ms - full_at) / interval + burst - keep + 0.000001)
if free < 1 then return {0, math.max(1, math.ceil(room_at - now_ms))} end
if ARGV[5] == '1' then
  redis.call('SET', KEYS[1], string.format('%.3f', full_at + interval), 'PX', ARGV[6])
end
return {free, 0}
