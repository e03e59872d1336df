-- Look at a stray again later.   KEYS: strays by due time   ARGV: clock, activation id, unix ms
redis.call('ZADD', KEYS[1], 'XX', ARGV[3], ARGV[2])
