-- Write and remove entries of a relayer's outbox, all at once.
-- KEYS: outbox   ARGV: clock, then name and text in turn; an empty text removes   → 1
for at = 2, #ARGV, 2 do
  if ARGV[at + 1] == '' then
    redis.call('HDEL', KEYS[1], ARGV[at])
  else
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
  end
end
return 1
