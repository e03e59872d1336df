-- Claim a payment for a new rental under our lease, count it against its payer and its caller, or do none of it (I3, I6).
-- KEYS: claim, rental, payer, due:abandon, events, caller, then one per name that the client gave to this payment
-- ARGV: clock, JSON {id, amount, balance, epoch, block, buys_number, has_caller, lease_ms, abandon_ms,
--       payer and caller: {max_open, max_open_atomic, max_per_hour, silent_least (0: no cooldown), silent_percent,
--       cooldown_ms}, prefix of rental keys}, event JSON, then the record's fields and values
-- → {'claimed', now_ms} | {'taken', owner} | {'named'} | {'blocked', reason} | {'stale'}
--   | {code, detail, how long to wait in ms or 0}
local a = cjson.decode(ARGV[2])
local owner = redis.call('GET', KEYS[1])
if owner then return {'taken', owner} end
for i = 7, #KEYS do  -- a name stays with its first payment, unless that has bought nothing
  local first = redis.call('GET', KEYS[i])
  local state = first and redis.call('HGET', a.prefix .. first, 'state')
  if state and state ~= 'released' then return {'named'} end
end

local hour = math.floor(now_ms / 3600000)
local function account(key)
  local p = redis.call('HMGET', key, 'open_count', 'open_atomic', 'hour', 'hour_claims', 'outcomes', 'outcome_at_ms')
  local claims = tonumber(p[3] or '0') == hour and tonumber(p[4] or '0') or 0
  return {open = tonumber(p[1] or '0'), atomic = tonumber(p[2] or '0') + a.amount, claims = claims,
          outcomes = p[5] or '', outcome_at = tonumber(p[6] or '0')}
end
local function cooling_ms(of, cap)
  local count = #of.outcomes
  if not a.buys_number or cap.silent_least == 0 or count < cap.silent_least then return 0 end
  local _, silent = string.gsub(of.outcomes, 's', '')
  if silent * 100 < cap.silent_percent * count then return 0 end
  return math.max(0, of.outcome_at + cap.cooldown_ms - now_ms)
end
local function refusal(of, cap, whose)
  if of.open >= cap.max_open then
    return {'too_many_open_rentals', string.format('at most %.0f open rentals of one %s', cap.max_open, whose), 0}
  end
  if of.atomic > cap.max_open_atomic then
    return {'exposure_exceeded', string.format('open payments of one %s would come to %.0f atomic units', whose, of.atomic), 0}
  end
  if of.claims >= cap.max_per_hour then
    return {'rate_limited', string.format('at most %.0f rentals an hour of one %s', cap.max_per_hour, whose),
            (hour + 1) * 3600000 - now_ms}
  end
  local wait_ms = cooling_ms(of, cap)
  if wait_ms > 0 then return {'cooling_down', 'most recent rentals of this ' .. whose .. ' stayed silent', wait_ms} end
end

local p = redis.call('HMGET', KEYS[3], 'epoch', 'block', 'blocked_until_ms', 'blocked_for')
if tonumber(p[3] or '0') > now_ms then return {'blocked', p[4]} end
if tonumber(p[1] or '0') ~= a.epoch or tonumber(p[2] or '0') > a.block then return {'stale'} end
local payer, caller = account(KEYS[3]), account(KEYS[6])
local refused = refusal(payer, a.payer, 'payer')
if refused then return refused end
if payer.atomic > a.balance then
  return {'exposure_exceeded', string.format('open payments would come to %.0f atomic units', payer.atomic), 0}
end
refused = a.has_caller and refusal(caller, a.caller, 'address')
if refused then return refused end

local function count(key, of)
  redis.call('HSET', key, 'open_count', of.open + 1, 'open_atomic', string.format('%.0f', of.atomic),
             'hour', hour, 'hour_claims', of.claims + 1)
end
redis.call('SET', KEYS[1], a.id)
for i = 7, #KEYS do redis.call('SET', KEYS[i], a.id) end
redis.call('HSET', KEYS[2], 'lease_fence', 1, 'lease_until', raw_ms + a.lease_ms, unpack(ARGV, 4))
count(KEYS[3], payer)
if a.has_caller then
  count(KEYS[6], caller)
  redis.call('PERSIST', KEYS[6])
end
redis.call('ZADD', KEYS[4], raw_ms + a.abandon_ms, a.id)
redis.call('XADD', KEYS[5], '*', 'event', ARGV[3])
return {'claimed', now_ms}
