-- Write one state change with everything that belongs to it, or nothing (I9).
-- KEYS: rental, claim, payer, events, ledger, blocks, then one due set per job kind in the order of ARGV[2].due, caller,
--       then one per name that the client gave to the payment
-- ARGV: clock, JSON {id, fence, rev, set: {field, value, …}, del: {field, …}, due: {ms or -1 to remove, …},
--       abandon_index, abandon_ms (0: disarm), amount (exposure to give back, 0: none), hold_ended, block,
--       blocked_for, block_ms, payer, free_claim, expire_ms (0: keep), events: {JSON, …}, ledger: {JSON, …},
--       jobs: {topic of each job kind, …}, gives_back (also give the lease back), has_caller,
--       outcome ('s' silent, 'd' delivered, '' neither), most_outcomes, caller_ms (how long an idle caller is known)}
-- Wakes the rental's watchers and the workers of each job kind whose due time is another one now.
-- → 1 | 0 (fence or rev is stale: nothing was written)
local a = cjson.decode(ARGV[2])
local held = redis.call('HMGET', KEYS[1], 'lease_fence', 'rev')
if held[1] ~= a.fence or held[2] ~= a.rev then return 0 end

redis.call('HSET', KEYS[1], unpack(a.set))
if #a.del > 0 then redis.call('HDEL', KEYS[1], unpack(a.del)) end
local wake = a.id
for i, at in ipairs(a.due) do
  if at < 0 then
    redis.call('ZREM', KEYS[6 + i], a.id)
  elseif redis.call('ZADD', KEYS[6 + i], 'CH', at, a.id) == 1 then
    wake = wake .. ' ' .. a.jobs[i]
  end
end
if a.abandon_ms > 0 then
  redis.call('ZADD', KEYS[6 + a.abandon_index], raw_ms + a.abandon_ms, a.id)
end
local function give_back(account)
  local outcomes = (redis.call('HGET', account, 'outcomes') or '') .. a.outcome
  if a.outcome ~= '' then
    redis.call('HSET', account, 'outcomes', string.sub(outcomes, -a.most_outcomes), 'outcome_at_ms', now_ms)
  end
  redis.call('HINCRBY', account, 'open_atomic', -a.amount)
  return redis.call('HINCRBY', account, 'open_count', -1)
end
if a.hold_ended then
  give_back(KEYS[3])
  redis.call('HINCRBY', KEYS[3], 'epoch', 1)
  local caller = KEYS[7 + #a.due]
  if a.has_caller and give_back(caller) == 0 then redis.call('PEXPIRE', caller, a.caller_ms) end
  local block = tonumber(redis.call('HGET', KEYS[3], 'block') or '0')
  if a.block > block then redis.call('HSET', KEYS[3], 'block', a.block) end
end
if a.blocked_for ~= '' then
  redis.call('HSET', KEYS[3], 'blocked_until_ms', now_ms + a.block_ms, 'blocked_for', a.blocked_for)
  redis.call('XADD', KEYS[6], '*', 'entry', cjson.encode({kind = 'payer_blocked', subject = a.payer,
    reason = a.blocked_for, by = a.id, at_ms = string.format('%.0f', now_ms)}))
end
if a.free_claim then
  if redis.call('GET', KEYS[2]) == a.id then redis.call('DEL', KEYS[2]) end
  for i = 8 + #a.due, #KEYS do
    if redis.call('GET', KEYS[i]) == a.id then redis.call('DEL', KEYS[i]) end
  end
end
local oldest = string.format('%.0f', math.max(0, raw_ms - 2592000000))
for _, event in ipairs(a.events) do redis.call('XADD', KEYS[4], 'MINID', '~', oldest, '*', 'event', event) end
for _, entry in ipairs(a.ledger) do redis.call('XADD', KEYS[5], '*', 'entry', entry) end
if a.expire_ms > 0 then redis.call('PEXPIRE', KEYS[1], a.expire_ms) end
if a.gives_back then redis.call('HSET', KEYS[1], 'lease_until', 0) end
redis.call('PUBLISH', 'wake', wake)
return 1
