-- Read a claim, its rental and its payer's epoch at one moment.
-- KEYS: claim, payer   ARGV: clock, prefix of rental keys   → {now_ms, epoch, flat rental fields ({} when unclaimed)}
local epoch = tonumber(redis.call('HGET', KEYS[2], 'epoch') or '0')
local owner = redis.call('GET', KEYS[1])
local rental = {}
if owner then rental = redis.call('HGETALL', ARGV[2] .. owner) end
return {now_ms, epoch, rental}
