-- Take an activation from its owner: from now on nobody can claim or find it, and its stray remembers whose it was.
-- KEYS: activation → rental, its owner → activation, stray
-- ARGV: clock, expected owner ('': nobody), activation JSON, the mark of strays, lifetime ms   → 1 | 0 (it has another owner, or is no stray any more)
local owner = redis.call('GET', KEYS[1]) or ''
if owner == ARGV[4] then return 1 end
if owner ~= ARGV[2] or redis.call('EXISTS', KEYS[3]) == 0 then return 0 end
redis.call('SET', KEYS[1], ARGV[4], 'PX', ARGV[5])
if redis.call('GET', KEYS[2]) == ARGV[3] then redis.call('DEL', KEYS[2]) end
redis.call('HSET', KEYS[3], 'was', owner)
return 1
