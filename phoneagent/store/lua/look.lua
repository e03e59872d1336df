-- Read a claim, its rental, its payer's epoch and whether a name is taken at one moment.
-- KEYS: claim, payer, then one per name that the client gave to this payment   ARGV: clock, prefix of rental keys
-- → {now_ms, epoch, flat rental fields ({} when unclaimed), 1 when a name goes with another payment | 0}
local epoch = tonumber(redis.call('HGET', KEYS[2], 'epoch') or '0')
local owner = redis.call('GET', KEYS[1])
local rental = {}
if owner then rental = redis.call('HGETALL', ARGV[2] .. owner) end
local is_named = 0
for i = 3, #KEYS do
  local first = redis.call('GET', KEYS[i])
  local state = first and first ~= owner and redis.call('HGET', ARGV[2] .. first, 'state')
  if state and state ~= 'released' then is_named = 1 end
end
return {now_ms, epoch, rental, is_named}
