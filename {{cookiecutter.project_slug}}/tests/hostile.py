# ruff: noqa: RUF001 - what looks like something else is what they are for
"""What do hostile clients send? Texts by category, and requests that are none or more than one.

The categories are those of the Big List of Naughty Strings; the requests those of published tests
of request smuggling (RFC 9112, 11.2) and of the parsers of HTTP. They go to the first route of
config/slo.toml and to its first seed.
"""

from vitals.ops.measure import load
from vitals.ops.run import shell

PLAN = load.read(shell.ROOT)
READ = PLAN.routes[0].request.path.partition("?")[0].encode()
WRITE, BODY = PLAN.seeds[0].path.encode(), PLAN.seeds[0].body

TEXTS = {
    "reserved": ["", "undefined", "null", "NULL", "None", "nil", "true", "NaN", "\\", "\\\\"],
    "numeric": [
        *["0", "1.00", "$1.00", "1E2", "-1", "0x0", "0xffffffffffffffff", "1/0", "0/0"],
        *["-9223372036854775808/-1", "--1", "1,000.00", "1'000", "9" * 96, "-Infinity", "1#QNAN"],
        *["0..0", ".", "0.0.0", "Infinity", "1e999", "01000", "08", "2.2250738585072011e-308"],
    ],
    "special": [
        ",./;'[]-=",
        '<>?:"{}|_+',
        "!@#$%^&*()`~",
        "\x01\x02\x03\x1f\x7f",
        "\t\x0b\x0c \xa0",
    ],
    "unicode": [
        *["Ω≈ç√∫˜µ≤≥÷", "åß∂ƒ©˙∆˚¬…æ", "œ∑´®†¥¨ˆøπ", "¡™£¢∞§¶•ªº", "ЁЂЃЄЅІЇ", "٠١٢٣٤٥٦٧٨٩"],
        *["⁰⁴⁵₀₁₂", "ด้้้้้็็็็็", "田中さんにあげて下さい", "社會科學院", "ヽ༼ຈل͜ຈ༽ﾉ", "(｡◕ ∀ ◕｡)"],
        *[
            "👩🏽",
            "👨‍👩‍👧‍👦",
            "🇺🇸🇷🇺",
            "０１２３",
            "ثم نفس",
            "בְּרֵאשִׁית",
            "﷽ﷺ",
            "\u202eabc\u202d",
            "\u200b\ufeff",
        ],
        *["T̫̺̳o̬ ̡i̼n̙v̻o̶k̫e", "˙ɐnbᴉlɐ", "Ｔｈｅ", "𝕿𝖍𝖊", "⒯⒣⒠", "\ufffe\uffff", "İ", "ẞ", "\U0010ffff"],
    ],
    "script": [
        "<script>alert(0)</script>",
        "&lt;script&gt;alert(&#39;1&#39;);&lt;/script&gt;",
        "<svg><script>123<1>alert(3)</script>",
        '"><script>alert(4)</script>',
        "javascript:alert(8)",
        "<IMG SRC=`javascript:alert(\"RSnake says, 'XSS'\")`>",
        '<a href="\\x0Bjavascript:javascript:alert(1)">test</a>',
        'ABC<div style="x\\x3Aexpression(alert(1))">DEF',
        "<plaintext>",
        "http://a/%%30%30",
    ],
    "database": [
        "1;DROP TABLE users",
        "1'; DROP TABLE users-- 1",
        "' OR 1=1 -- 1",
        "' OR '1'='1",
        "%",
        "_",
        "'; EXEC xp_cmdshell('dir'); --",
        "1 UNION SELECT null, version()",
        "\\'; SELECT pg_sleep(9); --",
    ],
    "shell": [
        "--version",
        "--help",
        "$(touch /tmp/planted)",
        "`touch /tmp/planted`",
        "; cat /etc/passwd",
        "| id",
        "eval(\"puts 'hello world'\")",
        "/dev/null; touch /tmp/planted ; echo",
        "() { 0; }; touch /tmp/planted;",
        "() { _; } >_[$($())] { touch /tmp/planted; }",
        '@{[system "touch /tmp/planted"]}',
    ],
    "template": [
        "{{7*7}}",
        "${7*7}",
        "#{7*7}",
        "<%= 7*7 %>",
        "{% raw %}",
        "%s%s%s%s%n",
        "%d%x%*.*s",
        "{0}",
        "{0.__class__}",
        "${jndi:ldap://127.0.0.1/a}",
    ],
    "files": [
        "../../../../etc/passwd",
        "..\\..\\windows\\win.ini",
        "/etc/passwd%00",
        "file:///etc/passwd",
        "CON",
        "LPT1",
        "aux.txt",
        ".",
        "..",
        "~",
        "//evil.internal/%2e%2e",
        "C:\\",
    ],
    "markup": [
        '<?xml version="1.0"?><!DOCTYPE f [<!ENTITY x SYSTEM "file:///etc/passwd">]><f>&x;</f>',
        '<!--#exec cmd="id"-->',
        "a: &a [*a, *a]",
        "=cmd|' /C calc'!A0",
        "\r\nSet-Cookie: planted=1",
        "\x1b[31mred\x1b[0m",
        "\x07\x08",
        "roses are \x1b[0;31mred",
        "If you're reading this, you've been in a coma",
        "Powerلُلُصّبُلُلصّبُررً ॣ ॣh ॣ ॣ冗",
    ],
    "long": ["A" * 201, "é" * 5_000, "👩" * 2_000, "((((" * 500, "a/" * 500],
}
ALL_TEXTS = [text for texts in TEXTS.values() for text in texts]


def read(behind: bytes) -> bytes:
    """A request for the first route with something behind its path, on a connection of its own."""
    head = b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    return b"GET " + READ + behind + head


HOST = b"Host: localhost\r\n"
GET = b"GET /livez HTTP/1.1\r\n" + HOST
POST = b"POST " + WRITE + b" HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
SMUGGLED = b"DELETE /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
END = b"\r\n"
MALFORMED = {
    # two lengths, or a length that is none
    "length and chunked": POST
    + b"Content-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "chunked and length": POST
    + b"Transfer-Encoding: chunked\r\nContent-Length: 60\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 40\r\n\r\n{}" + SMUGGLED,
    "the same length twice": POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    "lengths in a list": POST + b"Content-Length: 2, 2\r\n\r\n{}" + SMUGGLED,
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "a length with a plus": POST + b"Content-Length: +2\r\n\r\n{}" + SMUGGLED,
    "a hexadecimal length": POST + b"Content-Length: 0x2\r\n\r\n{}" + SMUGGLED,
    "a length with a blank in it": POST + b"Content-Length: 2 2\r\n\r\n{}",
    "a length beyond all numbers": POST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\n{}",
    "an empty length": POST + b"Content-Length:\r\n\r\n{}",
    "a length in full-width digits": POST + "Content-Length: ２\r\n\r\n{}".encode(),
    # a coding that is none, or hidden
    "an unknown coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked not last": POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "chunked twice": POST
    + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "identity and chunked": POST
    + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "a tab before chunked": POST + b"Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a vertical tab": POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a blank before the colon": POST
    + b"Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "a coding in the next line": POST
    + b"Transfer-Encoding:\r\n chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    "a coding in capitals": POST + b"TRANSFER-ENCODING: CHUNKED\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "a quoted coding": POST + b'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n' + SMUGGLED,
    "chunked in HTTP/1.0": b"POST "
    + WRITE
    + b" HTTP/1.0\r\n"
    + HOST
    + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"
    + SMUGGLED,
    # chunks that are none
    "a chunk without a size": POST + b"Transfer-Encoding: chunked\r\n\r\n\r\n" + SMUGGLED,
    "a chunk of a negative size": POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n" + SMUGGLED,
    "a chunk of 0x size": POST + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
    "a chunk beyond all numbers": POST
    + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}",
    "a chunk with a blank size": POST + b"Transfer-Encoding: chunked\r\n\r\n2 \r\n{}\r\n0\r\n\r\n",
    "a chunk longer than its size": POST
    + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}xx\r\n0\r\n\r\n",
    "a chunk with bare line ends": POST
    + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\n0\n\n"
    + SMUGGLED,
    "an endless chunk extension": POST
    + b"Transfer-Encoding: chunked\r\n\r\n2;"
    + b"a" * 70_000
    + b"\r\n{}\r\n0\r\n\r\n",
    "a forbidden trailer": POST
    + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nContent-Length: 90\r\nHost: evil\r\n\r\n",
    # lines that are none
    "a header without a colon": GET + b"NoColon\r\n\r\n",
    "a header without a name": GET + b": value\r\n\r\n",
    "a header with a blank in its name": GET + b"A B: value\r\n\r\n",
    "a header that goes on": GET + b"A: b\r\n c\r\n\r\n",
    "the first header goes on": b"GET /livez HTTP/1.1\r\n A: b\r\n" + HOST + END,
    "NUL in a header": GET + b"A: b\0c\r\n\r\n",
    "NUL in a name": GET + b"A\0B: c\r\n\r\n",
    "a bare CR in a header": GET + b"A: b\rX-Planted: c\r\n\r\n",
    "bare line feeds": b"GET /livez HTTP/1.1\nHost: localhost\n\n",
    "bytes above ASCII in a name": GET + b"\xc3\xa4: b\r\n\r\n",
    "bytes above ASCII in a value": GET + b"A: \xff\xfe\r\n\r\n",
    "ten thousand headers": GET + b"".join(b"A%d: b\r\n" % n for n in range(10_000)) + END,
    "a header of 1 MB": GET + b"A: " + b"b" * 1_000_000 + b"\r\n\r\n",
    # request lines that are none
    "nothing": b"\r\n\r\n\r\n\r\n",
    "a line of blanks": b"    \r\n\r\n",
    "no version": b"GET /livez\r\n\r\n",
    "HTTP/0.9": b"GET /livez HTTP/0.9\r\n\r\n",
    "HTTP/9.9": b"GET /livez HTTP/9.9\r\n" + HOST + END,
    "HTTP/1.10": b"GET /livez HTTP/1.10\r\n" + HOST + END,
    "http/1.1": b"GET /livez http/1.1\r\n" + HOST + END,
    "a method in small letters": b"get /livez HTTP/1.1\r\n" + HOST + END,
    "an unknown method": b"PLANTED /livez HTTP/1.1\r\n" + HOST + END,
    "a method with a bracket": b"GE{T /livez HTTP/1.1\r\n" + HOST + END,
    "a method of 1,000 letters": b"G" * 1_000 + b" /livez HTTP/1.1\r\n" + HOST + END,
    "a blank in the path": b"GET /li vez HTTP/1.1\r\n" + HOST + END,
    "NUL in the path": b"GET /livez\0 HTTP/1.1\r\n" + HOST + END,
    "a coded NUL in the path": read(b"/%00"),
    "a coded line end in the path": read(b"/%0d%0aSet-Cookie:%20a"),
    "half a code": read(b"/%f"),
    "codes that are none": read(b"/%zz%uu0041"),
    "codes that are no text": read(b"/%ff%c0%af"),
    "raw bytes in the path": read(b"/\xff\xfe"),
    "upwards": read(b"/../../etc/passwd"),
    "coded upwards": read(b"/%2e%2e%2f%2e%2e%2fetc%2fpasswd"),
    "twice coded": read(b"/%252e%252e%252f"),
    "backslashes": b"GET \\any\\1 HTTP/1.1\r\n" + HOST + END,
    "two slashes": b"GET //evil.internal/any HTTP/1.1\r\n" + HOST + END,
    "a fragment": read(b"#planted"),
    "a whole address": b"GET http://evil.internal/livez HTTP/1.1\r\n" + HOST + END,
    "an address with a user": b"GET http://a:b@localhost/livez HTTP/1.1\r\n" + HOST + END,
    "a star": b"GET * HTTP/1.1\r\n" + HOST + END,
    "a star for OPTIONS": b"OPTIONS * HTTP/1.1\r\n" + HOST + END,
    "a tunnel": b"CONNECT evil.internal:443 HTTP/1.1\r\n" + HOST + END,
    "an empty path": b"GET  HTTP/1.1\r\n" + HOST + END,
    "a path of 40,000 letters": b"GET /" + b"a" * 40_000 + b" HTTP/1.1\r\n" + HOST + END,
    "a query of codes": read(b"?%ff=%00&&&==&limit=%00"),
    "a thousand query fields": read(b"?" + b"a=b&" * 1_000),
    # hosts
    "no host": b"GET /livez HTTP/1.1\r\n\r\n",
    "two hosts": GET + b"Host: evil.internal\r\n\r\n",
    "a host with a path": b"GET /livez HTTP/1.1\r\nHost: a/b@c\r\n\r\n",
    "an empty host": b"GET /livez HTTP/1.1\r\nHost:\r\n\r\n",
    "a host of bytes": b"GET /livez HTTP/1.1\r\nHost: \xff\xff\r\n\r\n",
    # other protocols, and what asks for them
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x41" * 200,
    "HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0" * 30,
    "an upgrade to h2c": GET + b"Connection: Upgrade\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n\r\n",
    "an upgrade to a socket": GET
    + b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    + b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
    "an expectation": POST + b"Content-Length: 2\r\nExpect: planted\r\n\r\n{}",
    "an expectation of too much": POST
    + b"Content-Length: 99999999999\r\nExpect: 100-continue\r\n\r\n",
    "random bytes": bytes(range(256)) * 4,
    "SMTP": b"EHLO localhost\r\nMAIL FROM:<a@b>\r\n\r\n",
    "a proxy line": b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + GET + END,
    "an address of AJP": b"\x12\x34\x00\x01\x0a",
    # codings of the content
    "gzip": POST + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00",
    "deflate": POST + b"Content-Encoding: deflate\r\nContent-Length: 2\r\n\r\n\x78\x9c",
    "UTF-16": POST.replace(b"json", b"json; charset=utf-16") + b"Content-Length: 2\r\n\r\n\xff\xfe",
    "UTF-7": POST.replace(b"json", b"json; charset=utf-7") + b"Content-Length: 2\r\n\r\n{}",
    "a content type of bytes": POST.replace(b"application", b"\xff")
    + b"Content-Length: 2\r\n\r\n{}",
    "many content types": POST + b"Content-Type: text/html\r\nContent-Length: 2\r\n\r\n{}",
    "a form": POST.replace(b"application/json", b"multipart/form-data; boundary=x")
    + b"Content-Length: 5\r\n\r\n--x--",
    "no content type": POST.replace(b"Content-Type: application/json\r\n", b"")
    + b"Content-Length: 2\r\n\r\n{}",
    # bodies
    "BOM": POST + b"Content-Length: 5\r\n\r\n\xef\xbb\xbf{}",
    "duplicate keys": POST + b'Content-Length: 22\r\n\r\n{"name":"a","name":"b"}',
    "a prototype": POST + b'Content-Length: 29\r\n\r\n{"__proto__": {"admin": true}}',
    "a class": POST + b'Content-Length: 29\r\n\r\n{"__class__": "os", "a": "id"}',
    "a comment": POST + b"Content-Length: 10\r\n\r\n{/* a */} ",
    "single quotes": POST + b"Content-Length: 13\r\n\r\n{'name': 'a'}",
    "half a body": POST + b"Content-Length: 2000\r\n\r\n{",
}
