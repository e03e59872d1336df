-- Claim a payment for a new rental under our lease, count it against its payer, or do none of it (I3, I6).
-- KEYS: claim, rental, payer, due:abandon, events, then one per name that the client gave to this payment
-- ARGV: clock, JSON {id, amount, balance, epoch, block, max_open, max_open_atomic, max_per_hour, lease_ms, abandon_ms,
--       prefix of rental keys}, event JSON, then the record's fields and values
-- → {'claimed', now_ms} | {'taken', owner} | {'named'} | {'blocked', reason} | {'stale'} | {code, detail}
local a = cjson.decode(ARGV[2])
local owner = redis.call('GET', KEYS[1])
if owner then return {'taken', owner} end
for i = 6, #KEYS do  -- a name stays with its first payment, unless that has bought nothing
  local first = redis.call('GET', KEYS[i])
  local state = first and redis.call('HGET', a.prefix .. first, 'state')
  if state and state ~= 'released' then return {'named'} end
end

local p = redis.call('HMGET', KEYS[3], 'epoch', 'block', 'open_count', 'open_atomic', 'hour', 'hour_claims',
                     'blocked_until_ms', 'blocked_for')
local function number(i) return tonumber(p[i] or '0') end
if number(7) > now_ms then return {'blocked', p[8]} end
if number(1) ~= a.epoch or number(2) > a.block then return {'stale'} end
if number(3) >= a.max_open then return {'too_many_open_rentals', 'at most ' .. a.max_open .. ' open rentals'} end
local open = number(4) + a.amount
if open > a.balance or open > a.max_open_atomic then
  return {'exposure_exceeded', string.format('open payments would come to %.0f atomic units', open)}
end
local hour = math.floor(now_ms / 3600000)
local claims = number(5) == hour and number(6) or 0
if claims >= a.max_per_hour then return {'rate_limited', 'at most ' .. a.max_per_hour .. ' rentals an hour'} end

redis.call('SET', KEYS[1], a.id)
for i = 6, #KEYS do redis.call('SET', KEYS[i], a.id) end
redis.call('HSET', KEYS[2], 'lease_fence', 1, 'lease_until', raw_ms + a.lease_ms, unpack(ARGV, 4))
redis.call('HSET', KEYS[3], 'hour', hour, 'hour_claims', claims + 1)
redis.call('HINCRBY', KEYS[3], 'open_count', 1)
redis.call('HINCRBY', KEYS[3], 'open_atomic', a.amount)
redis.call('ZADD', KEYS[4], raw_ms + a.abandon_ms, a.id)
redis.call('XADD', KEYS[5], '*', 'event', ARGV[3])
return {'claimed', now_ms}
