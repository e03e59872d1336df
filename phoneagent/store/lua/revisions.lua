-- How often each rental was committed.   ARGV: clock, prefix of rental keys, id, …   → {rev (-1: not there), …}
local revs = {}
for i = 3, #ARGV do revs[i - 2] = tonumber(redis.call('HGET', ARGV[2] .. ARGV[i], 'rev') or '-1') end
return revs
