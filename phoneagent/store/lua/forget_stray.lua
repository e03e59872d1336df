-- It is no stray: its owner has attached it. A mark is undone.
-- KEYS: activation → rental, owner → activation, stray, strays by due time
-- ARGV: clock, owner, activation id, activation JSON, the mark of strays, lifetime ms
if redis.call('GET', KEYS[1]) == ARGV[5] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[6])
  redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[6])
end
redis.call('DEL', KEYS[3])
redis.call('ZREM', KEYS[4], ARGV[3])
