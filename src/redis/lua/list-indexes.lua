-- Lists indexes that a segment has from now on: all its events are in them.
--   KEYS[1]  lease
--   KEYS[2]  meta hash {indexes, segments_version, …}
--   KEYS[3]  segments hash {base: ids of its indexes}
--   KEYS[4]  set of indexes to be deleted
--   ARGV[1]  token of the lease
--   ARGV[2]  the plan that they were built by
--   ARGV[3]  base of the segment
--   ARGV[4]  1 when it is a new segment
--   ARGV[5…] ids of the indexes
--   returns  1 listed, 0 nothing was done: another plan holds, the segment is gone, or it is not new
--   errors   LEASE: the lease is lost

local call = redis.call
if call('GET', KEYS[1]) ~= ARGV[1] then return redis.error_reply('LEASE lost') end
local base = ARGV[3]
local listed, is_new = call('HGET', KEYS[3], base), ARGV[4] == '1'
if call('HGET', KEYS[2], 'indexes') ~= ARGV[2] or is_new == (listed ~= false) then return 0 end
local ids = listed and listed ~= '' and { listed } or {}
for i = 5, #ARGV do ids[#ids + 1] = ARGV[i] end
call('HSET', KEYS[3], base, table.concat(ids, ' '))
for i = 5, #ARGV do call('SREM', KEYS[4], base .. ':' .. ARGV[i]) end
call('HINCRBY', KEYS[2], 'segments_version', 1)
return 1
