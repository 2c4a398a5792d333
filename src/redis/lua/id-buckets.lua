-- How ids are remembered, for the scripts that this is put before.
--
-- A generation of ids is in Redis hashes, its buckets: the hash of an id (12 bytes), and what is remembered of it. A bucket
-- is named after the first digits, in hex, of the hashes that are in it. There is one without a name at first, and as ids
-- are added, each is divided into sixteen by the next digit, in the order of their names: so all stay small and quick to
-- search, and an id takes about as much memory among a hundred as among a hundred million. They are divided in bursts: all,
-- one after the other, from 64 ids for each on, and then none until there are 64 again. So there is one move for ten ids
-- just before a burst, and four for five just behind it.
--
-- `border` is the name of the bucket that is divided next: those before it have been, and have one digit more. A generation
-- without is from when there were 65,536 buckets, named after the first two bytes of the hash.

local ids_of_bucket = 64
-- What one call may divide: one or two tenths of a millisecond each.
local divisions_max = 4
-- Only ids that were chosen for it begin so much alike. Their bucket is left whole, and those behind it: that takes more
-- memory, and no time of others.
local divided_max = 1024
-- As many as tell 16,777,216 buckets apart.
local digits_max = 6

local function open_generation(prefix, number, border)
  return {
    prefix = prefix .. ':' .. number .. ':',
    border = border, digit_count = border and #border, border_number = border and tonumber(border, 16) or 0,
  }
end

-- `digits` are the first of the hash. They are compared as numbers: in the order of strings in which Redis' locale puts
-- them, `d` may come before `3`, and `aa` behind `ff`.
local function bucket_of(generation, digits)
  local name = string.sub(digits, 1, generation.digit_count)
  if generation.border_number > 0 and tonumber(name, 16) < generation.border_number then
    name = string.sub(digits, 1, generation.digit_count + 1)
  end
  return generation.prefix .. name
end

local function find_id(generation, digits, hash)
  if generation.border then return redis.call('HGET', bucket_of(generation, digits), hash) end
  return redis.call('HGET', generation.prefix .. string.sub(hash, 1, 2), string.sub(hash, 3))
end

-- A bucket without ids has an empty field, so that it has a time to live.
local function write_bucket(key, fields, ttl_ms)
  if #fields == 0 then fields = { '', '' } end
  redis.call('HSET', key, unpack(fields))
  redis.call('PEXPIRE', key, ttl_ms)
end

-- Puts what is in the bucket at the border into sixteen; they are not looked at before the border has moved.
local function copy_parts(generation, key, ttl_ms)
  local fields = redis.call('HGETALL', key)
  local parts = {}
  for digit = 0, 15 do parts[digit] = {} end
  local digit_count = generation.digit_count
  local byte_place, is_high = math.floor(digit_count / 2) + 1, digit_count % 2 == 0
  for i = 1, #fields, 2 do
    if fields[i] ~= '' then
      local byte = string.byte(fields[i], byte_place)
      local part = parts[is_high and math.floor(byte / 16) or byte % 16]
      local size = #part
      part[size + 1], part[size + 2] = fields[i], fields[i + 1]
    end
  end
  for digit = 0, 15 do write_bucket(key .. string.format('%x', digit), parts[digit], ttl_ms) end
end

local function move_border(generation)
  local next_number, digit_count = generation.border_number + 1, generation.digit_count
  if next_number == 16 ^ digit_count then next_number, digit_count = 0, digit_count + 1 end
  generation.border_number, generation.digit_count = next_number, digit_count
  generation.border = string.format('%0' .. digit_count .. 'x', next_number)
end

-- Makes buckets for so many ids, some at a time, and notes the border in the meta hash.
local function add_buckets(generation, id_count, ttl_ms, meta)
  for _ = 1, divisions_max do
    local needed = id_count / ids_of_bucket
    if generation.digit_count == digits_max or 16 ^ generation.digit_count + generation.border_number >= needed then
      return
    end
    local key = generation.prefix .. generation.border
    if redis.call('HLEN', key) > divided_max then return end
    -- Should one of these commands be forbidden, no id is lost.
    copy_parts(generation, key, ttl_ms)
    move_border(generation)
    redis.call('HSET', meta, 'id_border', generation.border)
    redis.call('UNLINK', key)
  end
end
