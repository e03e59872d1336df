-- Forget the number of an activation and keep whose it was, for as long as that is kept anyway. Repeatable.
-- KEYS: rental → activation   ARGV: clock
local text = redis.call('GET', KEYS[1])
if not text then return 0 end
local activation = cjson.decode(text)
activation.number = ''
redis.call('SET', KEYS[1], cjson.encode(activation), 'KEEPTTL')
return 1
