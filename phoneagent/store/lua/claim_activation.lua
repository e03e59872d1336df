-- Claim an upstream activation for a rental unless another rental has it, or this rental has another. Repeatable.
-- KEYS: activation → rental, rental → activation   ARGV: clock, rental id, activation JSON, lifetime ms
-- → owner's id | '' (nobody's: the rental has an activation already)
local owner = redis.call('GET', KEYS[1])
if owner then return owner end
if redis.call('EXISTS', KEYS[2]) == 1 then return '' end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[4])
redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
return ARGV[2]
