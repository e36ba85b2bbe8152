//! Scripts and functions that call commands, fail halfway, and convert what goes in and out.

use super::Group;
use crate::random::Random;

pub fn group() -> Group {
    Group::new("script", SHAPES, word)
}

const SHAPES: &[&str] = &[
    "EVAL writing 2 any any value many",
    "EVAL writing 2 list set item many",
    "EVAL reading 2 any any value",
    "EVAL reading 1 any",
    "EVAL pure [0] [value] [many]",
    "EVAL pure 1 key value",
    "EVAL broken 1 key value",
    "EVAL any_script 0|x|-1|3 any value",
    "EVAL_RO reading 2 any any value",
    "EVAL_RO writing 2 any any value many",
    "EVALSHA digest 2 any any value many",
    "EVALSHA_RO digest 2 any any value many",
    "EVALSHA junk 0",
    "SCRIPT LOAD any_script",
    "SCRIPT EXISTS digest digest [junk]",
    "SCRIPT FLUSH [SYNC|junk]",
    "SCRIPT junk",
    "FUNCTION LOAD [REPLACE] library",
    "FUNCTION LOAD REPLACE library",
    "FUNCTION DELETE lib1|lib2|nope",
    "FUNCTION LIST [WITHCODE] [LIBRARYNAME] [lib*]",
    "FUNCTION FLUSH [SYNC|junk]",
    "FUNCTION STATS",
    "FCALL push 1 list value many",
    "FCALL count 1 hash value",
    "FCALL both 2 any any value",
    "FCALL_RO look 1 any",
    "FCALL_RO push|count|look 1 list value",
    "FCALL look|nope 1 any",
];

/// They write to two keys, or fail before, between or after.
const WRITING: &[&str] = &[
    "return redis.call('SET',KEYS[1],ARGV[1])",
    "redis.call('SET',KEYS[1],ARGV[1]) return redis.call('LPUSH',KEYS[2],ARGV[1],ARGV[2])",
    "redis.call('RPUSH',KEYS[1],ARGV[1],ARGV[2]) redis.call('INCR',KEYS[2]) return redis.call('LRANGE',KEYS[1],0,-1)",
    "local r = redis.pcall('INCRBY',KEYS[1],ARGV[2]) if type(r)=='table' then return r.err end return {r,'was counted'}",
    "for i=1,tonumber(ARGV[2])%7 do redis.call('SADD',KEYS[2],i) end return redis.call('SCARD',KEYS[2])",
    "redis.call('HSET',KEYS[1],'f',ARGV[1]) redis.call('ZADD',KEYS[2],ARGV[2],ARGV[1]) return redis.call('TYPE',KEYS[2])",
    "redis.call('DEL',KEYS[1]) redis.call('RENAME',KEYS[2],KEYS[1]) return redis.call('EXISTS',KEYS[1],KEYS[2])",
    "redis.call('SET',KEYS[1],1) redis.call('EXPIRE',KEYS[1],100000) redis.call('PUBLISH','news1',ARGV[1]) return 1",
    "redis.setresp(3) redis.call('HSET',KEYS[1],'a','1') local t = redis.call('HGETALL',KEYS[1]) return t.map.a",
    "return redis.pcall('LPOP',KEYS[1])",
    "redis.call('SELECT',1) redis.call('SET',KEYS[1],ARGV[1]) return redis.call('GET',KEYS[1])",
    "#!lua\nreturn redis.call('APPEND',KEYS[1],ARGV[1])",
    "#!lua flags=no-writes\nreturn redis.call('APPEND',KEYS[1],ARGV[1])",
];

const READING: &[&str] = &[
    "return redis.call('GET',KEYS[1])",
    "return redis.pcall('GET',KEYS[1])",
    "return {redis.call('TYPE',KEYS[1]),redis.call('EXISTS',KEYS[1])}",
    "return redis.call('LRANGE',KEYS[1],0,-1)",
    "local t = redis.pcall('HGETALL',KEYS[1]) if t.err then return redis.error_reply(t.err) end return #t",
    "redis.setresp(3) return redis.pcall('ZRANGE',KEYS[1],0,-1,'WITHSCORES')['err']",
    "redis.setresp(3) local t = redis.pcall('ZSCORE',KEYS[1],'a') return {t}",
    "#!lua flags=no-writes\nreturn redis.call('STRLEN',KEYS[1])",
    "return redis.call('XRANGE',KEYS[1],'-','+')",
    "return {redis.call('TTL',KEYS[1])>0,false,redis.call('EXISTS',KEYS[1])==1}",
];

const PURE: &[&str] = &[
    "return {1,2.9,'three',{4,nil,5},true,false,-0.5}",
    "return {ok='fine'}",
    "return redis.status_reply('GOOD')",
    "return redis.error_reply('MY error')",
    "return redis.error_reply('lonely')",
    "return {double=3.5}",
    "redis.setresp(3) return {double=3.25}",
    "redis.setresp(3) return {map={a=1}}",
    "redis.setresp(3) return {set={x=true}}",
    "redis.setresp(3) return {big_number='123456789012345678901234567890'}",
    "redis.setresp(3) return {true,false}",
    "return {#KEYS,#ARGV,KEYS[1],ARGV[1]}",
    "return cjson.encode({1,'a',{b=cjson.null}})",
    "return {cjson.decode('[1,2.5,\"x\",null,true]')[3],cjson.decode('{\"a\":{\"b\":7}}').a.b}",
    "return cmsgpack.pack({1,'a',300,-70000,{1.5,true}})",
    "return {cmsgpack.unpack(cmsgpack.pack(1,2,'x'))}",
    "return struct.pack('>I2hbz',1,-2,3,'abc')",
    "return {struct.unpack('<I4s0',string.char(1,2,3,4))}",
    "return {bit.bxor(5,3),bit.lshift(1,31),bit.tohex(255),bit.arshift(-8,1)}",
    "return redis.sha1hex(ARGV[1] or '')",
    "return tostring(tonumber(ARGV[2] or '') or 'none')",
    "return {tostring(1/0),tostring(-1/0),string.format('%.3f %5d %s %q',1.5,7,'x','y')}",
    "local t = {} for i=1,20 do t[i]=i*i end table.sort(t,function(a,b) return a>b end) return t",
    "return {redis.REDIS_VERSION~=nil,redis.LOG_WARNING,redis.breakpoint and 1 or 0}",
    "return string.rep('ab',3,'-') .. ('x'):upper():reverse()",
    "return redis.acl_check_cmd('SET','a','b')",
    "return pcall(function() return redis.call('NOPE') end)",
    "local ok,e = pcall(function() error('mine') end) return {tostring(ok),e}",
    "local ok,e = pcall(function() error({a=1}) end) return {tostring(ok),type(e)}",
    "return {math.floor(2.7),math.max(1,9),math.fmod(7,3),math.huge>1}",
    "return {next({}),type(next),select('#',1,2,3),unpack({1,2})}",
    "return {type(tostring),type(coroutine.create(function() end)),_VERSION,type(_G)}",
];

/// They fail: while they are read, or while they run. None ends with a call of a function that the sandbox wraps, as in
/// `return setmetatable(_G,{})`: the place of the error is not known then, since Lua forgets who made such a call.
const BROKEN: &[&str] = &[
    "return redis.call('SET',KEYS[1])",
    "return redis.call('NOPE')",
    "return redis.call()",
    "return redis.call({})",
    "return redis.call('SUBSCRIBE','x')",
    "return redis.call('MULTI')",
    "return nope",
    "nope = 1",
    "return +",
    "error('mine')",
    "error({err='MINE of my own'})",
    "error({err='no code'})",
    "local t = nil return t.x",
    "return redis.setresp(4)",
    "redis.call('SET',KEYS[1],1) error('after')",
    "redis.call('SET',KEYS[1],1) return redis.call('LPUSH',KEYS[1],2)",
    "return {1,redis.error_reply('inside'),{err='deep'}}",
    "local t = {} t.t = t return 1",
    "return cjson.decode('{')",
    "return cmsgpack.unpack('\\193')",
    "string.nope()",
    "return redis.log('x')",
    "return redis.sha1hex()",
    "return redis.error_reply()",
    "return struct.pack('q',1)",
    "return bit.band()",
    "redis.call = 1",
    "setmetatable(_G,{})",
    "local x = loadfile",
    "local x = io",
    "local x = print",
    "rawset(redis,'a',1)",
    "table.insert(redis,1)",
    "table.insert(1,1)",
    "local x = next(1)",
    "string.rep()",
    "local x = ('x'):nope()",
    "tostring()",
    "error({err='x',source='a'})",
    "load(1)",
    "coroutine.resume(1)",
    "for i in 5 do end",
    "unpack()",
    "select('x')",
    "local a = {} .. 'x'",
    "tonumber()",
    "math.random(0)",
    "return #nil",
    "#!lua flags=nope\nreturn 1",
    "#!python\nreturn 1",
    "#!lua name=x\nreturn 1",
    "#!lua flags=no-writes\nreturn redis.call('SET',KEYS[1],1)",
];

const LIBRARIES: &[&str] = &[
    "#!lua name=lib1\nredis.register_function('push',function(k,a) return redis.call('RPUSH',k[1],a[1],a[2] or '') end)\n\
     redis.register_function{function_name='look',callback=function(k) return redis.call('TYPE',k[1]) end,flags={'no-writes'}}",
    "#!lua name=lib2\nlocal n = 0\nredis.register_function('count',function(k,a) n=n+1 return {n,redis.call('HSET',k[1],a[1],n)} end)",
    "#!lua name=lib2\nredis.register_function('both',function(k,a) redis.call('SET',k[1],a[1]) return redis.call('INCR',k[2]) end)",
    "#!lua name=lib2\nredis.register_function('push',function() return 'another' end)",
    "#!lua name=lib3\nreturn 1",
    "#!lua name=lib1\nredis.call('SET','x',1)",
    "#!lua name=lib1\nerror('mine')",
    "redis.register_function('x',function() end)",
];

fn any_script(random: &mut Random) -> String {
    let all = [WRITING, READING, PURE, BROKEN];
    let some = random.pick(&all);
    random.word(some)
}

fn word(random: &mut Random, kind: &str) -> Option<String> {
    Some(match kind {
        "writing" => random.word(WRITING),
        "reading" => random.word(READING),
        "pure" => random.word(PURE),
        "broken" => random.word(BROKEN),
        "any_script" => any_script(random),
        // Of scripts with the same keys, so that some of them are known.
        "digest" => {
            let some = random.pick(&[WRITING, READING]);
            sha1_smol::Sha1::from(random.pick(some)).digest().to_string()
        }
        "library" => random.word(LIBRARIES),
        "item" => random.below(6).to_string(),
        _ => return None,
    })
}
