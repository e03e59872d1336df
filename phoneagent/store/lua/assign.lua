-- Give a payment's settlement to a facilitator unless one has it. Repeatable.
-- KEYS: payment → facilitator   ARGV: clock, facilitator, when the authorization has ended in unix ms, margin ms
-- → {who has it, 1 if this call gave it}
local owner = redis.call('GET', KEYS[1])
if owner then return {owner, 0} end
local left_ms = math.max(tonumber(ARGV[3]) - now_ms, 0) + tonumber(ARGV[4])
redis.call('SET', KEYS[1], ARGV[2], 'PX', string.format('%d', left_ms))
return {ARGV[2], 1}
