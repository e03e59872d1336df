-- Claim an upstream activation for a rental unless another rental has it. Repeatable.
-- KEYS: activation → rental, rental → activation   ARGV: clock, rental id, activation JSON, lifetime ms   → owner's id
redis.call('SET', KEYS[1], ARGV[2], 'NX', 'PX', ARGV[4])
local owner = redis.call('GET', KEYS[1])
if owner == ARGV[2] then redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4]) end
return owner
