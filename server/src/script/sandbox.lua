-- What scripts see: the reference's globals and nothing else, none of which a script can change.
--
-- Lua 5.1 has no read-only tables, so each shared table is an empty one (a front) that shows another and refuses to be
-- written. Functions that look at tables directly (next, rawget, table.insert ...) are taught about fronts.
local host, libraries = ...

local error, type, select, pcall, xpcall = error, type, select, pcall, xpcall
local next, rawget, rawset, setmetatable, getmetatable = next, rawget, rawset, setmetatable, getmetatable
local tostring, loadstring, byte, concat = tostring, loadstring, string.byte, table.concat
local where, unwrap = host.where, host.unwrap

local READONLY = 'Attempt to modify a readonly table'
local MISSING = 'Script attempted to access nonexistent global variable '
local behind, metas = setmetatable({}, {__mode = 'k'}), setmetatable({}, {__mode = 'k'})

local function refuse()
    error(READONLY, 2)
end

local function front(original, meta)
    local shown = setmetatable({}, {__index = original, __newindex = refuse})
    behind[shown] = original
    metas[shown] = meta
    return shown
end

-- The first argument of a function is of a type, else the script that called it is told.
local function expect(wanted, name, ...)
    if type((...)) ~= wanted then
        local found = select('#', ...) == 0 and 'no value' or type((...))
        error("bad argument #1 to '" .. name .. "' (" .. wanted .. ' expected, got ' .. found .. ')', 3)
    end
end

-- Functions that change tables directly.
local function guarded(change, name)
    return function(...)
        expect('table', name, ...)
        if behind[(...)] then
            error(READONLY, 0)
        end
        return change(...)
    end
end

local real = {}
local names = {'assert', 'collectgarbage', 'error', 'gcinfo', 'ipairs', 'rawequal', 'select', 'tonumber', 'tostring',
    'type', 'unpack', '_VERSION'}
for i = 1, #names do
    real[names[i]] = _G[names[i]]
end

real.rawset, real.setmetatable = guarded(rawset, 'rawset'), guarded(setmetatable, 'setmetatable')

function real.rawget(...)
    expect('table', 'rawget', ...)
    local t, key = ...
    return rawget(behind[t] or t, key)
end

real.next = function(...)
    expect('table', 'next', ...)
    local t, key = ...
    return next(behind[t] or t, key)
end

local shown_next = real.next
function real.pairs(...)
    expect('table', 'pairs', ...)
    local t = ...
    return behind[t] and shown_next or next, t, nil
end

local string_meta
function real.getmetatable(t, ...)
    if type(t) == 'string' then
        return string_meta
    end
    if type(t) == 'table' and behind[t] then
        return metas[t]
    end
    return getmetatable(t, ...)
end

-- What went wrong in the host, as scripts see it.
local function plain(ok, err, ...)
    if not ok then
        if type(err) == 'userdata' then
            err = unwrap(err)
        end
        if type(err) == 'table' and type(rawget(err, 'err')) == 'string' then
            err = rawget(err, 'err')
        end
    end
    return ok, err, ...
end

function real.pcall(...)
    return plain(pcall(...))
end

function real.xpcall(f, handler, ...)
    return xpcall(f, type(handler) == 'function' and function(err)
        if type(err) == 'userdata' then
            err = unwrap(err)
        end
        return handler(err)
    end or handler, ...)
end

-- Compiled code could break out, so only text is taken.
function real.loadstring(text, ...)
    if type(text) == 'string' and byte(text) == 27 then
        return nil, '[string "\27LuaQ"]:1: unexpected symbol near \'char(27)\''
    end
    return loadstring(text, ...)
end

function real.load(...)
    expect('function', 'load', ...)
    local reader, name = ...
    local pieces = {}
    while true do
        local piece = reader()
        if piece == nil or piece == '' then
            break
        end
        if type(piece) ~= 'string' then
            return nil, 'reader function must return a string'
        end
        pieces[#pieces + 1] = piece
    end
    return real.loadstring(concat(pieces), name or '=(load)')
end

local function copy(from, without)
    local to = {}
    for key, value in pairs(from) do
        to[key] = value
    end
    return to
end

local resume = coroutine.resume
local own_coroutine = copy(coroutine)
own_coroutine.resume = function(...)
    local function seen(ok, err, ...)
        if not ok and type(err) == 'userdata' then
            err = unwrap(err)
        end
        return ok, err, ...
    end
    if type((...)) ~= 'thread' then
        error("bad argument #1 to 'resume' (coroutine expected)", 2)
    end
    return seen(resume(...))
end
local own_table = copy(table)
local insert, remove, sort, setn = table.insert, table.remove, table.sort, table.setn
own_table.insert, own_table.remove = guarded(insert, 'insert'), guarded(remove, 'remove')
own_table.sort, own_table.setn = guarded(sort, 'sort'), guarded(setn, 'setn')
local own_math = copy(math)
own_math.random, own_math.randomseed = host.random, host.randomseed

real.string, real.table, real.math = front(string), front(own_table), front(own_math)
real.coroutine, real.os = front(own_coroutine), front({clock = os.clock})
string_meta = front({__index = real.string})
for name, library in pairs(libraries) do
    real[name] = front(library)
end
real.server = real.redis

-- The globals.
setmetatable(real, {__index = function(_, name)
    error(MISSING .. "'" .. tostring(name) .. "'", 2)
end})
local meta = {}
local globals = front(real, front(meta))
meta.__index = function(_, name)
    return real[name]
end
real._G = globals

-- An error is a table with its text and where it came to be.
local function handler(err)
    local source, line = where()
    if type(err) == 'userdata' then
        err = unwrap(err)
    end
    if type(err) ~= 'table' or behind[err] then
        err = {err = 'ERR ' .. tostring(err)}
    end
    if source then
        rawset(err, 'source', source)
        rawset(err, 'line', line)
    end
    return err
end
real.__redis__err__handler = handler

local function eval(script, keys, argv)
    rawset(real, 'KEYS', keys)
    rawset(real, 'ARGV', argv)
    return xpcall(script, handler)
end

local function fcall(f, keys, argv)
    rawset(real, 'KEYS', nil)
    rawset(real, 'ARGV', nil)
    return xpcall(function()
        return f(keys, argv)
    end, handler)
end

-- While a library is loaded it sees this much, and no commands.
local redis = libraries.redis
local at_load = {register_function = true, log = true}
for name in pairs(redis) do
    at_load[name] = at_load[name] or name:find('^LOG_') or name:find('^REDIS_VERSION')
end
local loading = setmetatable({}, {__index = function(_, name)
    if not at_load[name] then
        error(MISSING .. "'" .. tostring(name) .. "'", 2)
    end
    return redis[name]
end})
local few = setmetatable({redis = front(loading)}, getmetatable(real))
few.server = few.redis

local shown = getmetatable(globals)
local function load(library)
    shown.__index = few
    local ok, err = xpcall(library, handler)
    shown.__index = real
    return ok, err
end

return globals, eval, fcall, load
