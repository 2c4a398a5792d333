-- Reads what a project's indexes are.
--   KEYS[1]  stream of events
--   KEYS[2]  meta hash {indexes, segment, …}
--   KEYS[3]  segments hash {base: ids of its indexes}
--   KEYS[4]  set of indexes to be deleted
--   returns  {plan, base of the segment that is added to, stream ids of the oldest and the newest event, each or ''},
--            {base, ids of its indexes, … of each segment}, {indexes to be deleted}

local call = redis.call
local meta = call('HMGET', KEYS[2], 'indexes', 'segment')
local oldest = call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local newest = call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
local facts = { meta[1] or '', meta[2] or '', oldest and oldest[1] or '', newest and newest[1] or '' }
return { facts, call('HGETALL', KEYS[3]), call('SMEMBERS', KEYS[4]) }
