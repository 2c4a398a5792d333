-- Reads records of an index in one segment, from a place on in one direction, a slice of each bucket asked for.
--   KEYS[1]  meta hash {epoch, segments_version, trimmed, …}
--   KEYS[2]  segments hash {base: ids of the indexes that hold all of its events}
--   KEYS[3]  stream of events
--   KEYS[4…] buckets
--   ARGV[1]  base of the segment
--   ARGV[2]  id of the index
--   ARGV[3]  newest: records before the place, its end is next to it; oldest: records behind it
--   ARGV[4]  the place as a record begins with it (7 bytes); empty: the end that the direction begins at
--   ARGV[5]  how many records of a bucket to read at most
--   returns  {epoch, trimmed, segments_version, whether the index holds the segment (1 or 0), id of the stream's newest
--            entry if the direction is the oldest's, then for each bucket: its slice, in the order of the stream; how many
--            more records it has in this direction}
-- Finds the place by bisection: a million records take 20 looks of less than a µs.

local record, place_bytes = 10, 7
local newest, bound, slice_max = ARGV[3] == 'newest', ARGV[4], tonumber(ARGV[5])
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'trimmed', 'segments_version')
local listed = redis.call('HGET', KEYS[2], ARGV[1])
local is_held = listed and string.find(' ' .. listed .. ' ', ' ' .. ARGV[2] .. ' ', 1, true)
local reply = { meta[1] or '', meta[2] or '', meta[3] or '', is_held and 1 or 0, '' }
if not is_held then return reply end
if not newest then
  local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
  reply[5] = last and last[1] or ''
end

-- Compared byte by byte: < on strings goes by the locale.
local function is_before(a, b)
  for i = 1, place_bytes do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return false
end

-- How many records are before the place; behind it begins at the first that is not at or before it.
local function count_before(key, count, is_inclusive)
  local low, high = 0, count
  while low < high do
    local middle = math.floor((low + high) / 2)
    local place = redis.call('GETRANGE', key, middle * record, middle * record + place_bytes - 1)
    local is_low
    if is_inclusive then is_low = not is_before(bound, place) else is_low = is_before(place, bound) end
    if is_low then low = middle + 1 else high = middle end
  end
  return low
end

for i = 4, #KEYS do
  local key = KEYS[i]
  local count = redis.call('STRLEN', key) / record
  local first, last, left
  if newest then
    last = bound == '' and count or count_before(key, count, false)
    first = math.max(0, last - slice_max)
    left = first
  else
    first = bound == '' and 0 or count_before(key, count, true)
    last = math.min(count, first + slice_max)
    left = count - last
  end
  local at = #reply
  reply[at + 1] = last > first and redis.call('GETRANGE', key, first * record, last * record - 1) or ''
  reply[at + 2] = left
end
return reply
