"""URLs of databases and caches: as clouds give them, and with any password."""

import os
import random
import re
import string
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

import pytest

from vitals import CacheSettings, DatabaseSettings, SettingsRefused, load
from vitals.cache import Cache
from vitals.connection_url import checked, driver_options
from vitals.database_engine import _turn_hosts, build_engine

POSTGRES = ("postgresql", "postgres", "sqlite")
# The kinds of URL of the providers' own documentation; the secrets are made up.
CLOUDS = {
    "Heroku": "postgres://u4:pb7@ec2-1-2-3-4.compute-1.amazonaws.com:5432/d9abc",
    "AWS RDS": "postgresql://app:pw@orders.c9.eu-west-1.rds.amazonaws.com:5432/orders",
    "AWS RDS, TLS verified": "postgresql://app:pw@orders.c9.eu-west-1.rds.amazonaws.com/orders"
    "?sslmode=verify-full&sslrootcert={pem}",
    "AWS RDS Proxy": "postgresql://app:pw@p.proxy-c9.eu-west-1.rds.amazonaws.com:5432/orders"
    "?sslmode=require",
    "AWS Aurora, writer and reader": "postgresql://app:pw@w.cluster-c9.rds.amazonaws.com:5432,"
    "w.cluster-ro-c9.rds.amazonaws.com:5432/orders?target_session_attrs=read-write",
    "Google Cloud SQL, socket": "postgresql://app:pw@/orders?host=/cloudsql/proj:europe-west1:db",
    "Google Cloud SQL, Prisma": "postgresql://app:pw@localhost/orders?host=/cloudsql/p:r:db",
    "Google AlloyDB": "postgresql://app:pw@10.20.0.5:5432/orders?sslmode=require",
    "Azure Flexible Server": "postgres://app:pw@orders.postgres.database.azure.com/postgres"
    "?sslmode=require",
    "Azure Single Server": "postgresql://app%40orders:pw@orders.postgres.database.azure.com:5432/x"
    "?sslmode=require",
    "Supabase, direct": "postgresql://postgres:pw@db.abcdefgh.supabase.co:5432/postgres",
    "Supabase, transaction pooler": "postgres://postgres.abcdefgh:pw@"
    "aws-0-eu-central-1.pooler.supabase.com:6543/postgres",
    "Supabase by Vercel": "postgres://postgres.abcdefgh:pw@aws-0-eu.pooler.supabase.com:6543/x"
    "?sslmode=require&supa=base-pooler.x",
    "Neon, pooled": "postgresql://alex:Ab12@ep-cool-123456-pooler.us-east-2.aws.neon.tech/neondb"
    "?sslmode=require&channel_binding=require",
    "Neon, endpoint": "postgresql://alex:Ab12@ep-cool-123456.us-east-2.aws.neon.tech/neondb"
    "?sslmode=require&options=endpoint%3Dep-cool-123456",
    "Render": "postgresql://app:pw@dpg-abc-a.frankfurt-postgres.render.com/orders",
    "Railway": "postgresql://postgres:pw@viaduct.proxy.rlwy.net:43210/railway",
    "Fly": "postgres://app:pw@orders-db.flycast:5432/orders?sslmode=disable",
    "DigitalOcean": "postgresql://doadmin:pw@db-do-user-1-0.b.db.ondigitalocean.com:25060/defaultdb"
    "?sslmode=require",
    "Aiven": "postgres://avnadmin:pw@pg-1-orders.aivencloud.com:12691/defaultdb?sslmode=require",
    "Crunchy Bridge": "postgres://application:pw@p.abcdef.db.postgresbridge.com:5432/postgres",
    "Timescale": "postgres://tsdbadmin:pw@abc.xyz.tsdb.cloud.timescale.com:31234/tsdb"
    "?sslmode=require",
    "PlanetScale": "postgresql://postgres.abc:pw@eu-west-2.pg.psdb.cloud:6432/postgres"
    "?sslmode=verify-full&sslrootcert=system",
    "Scaleway": "postgresql://app:pw@51.159.0.1:21234/rdb?sslmode=verify-ca&sslrootcert={pem}",
    "OVHcloud": "postgres://avnadmin:pw@postgresql-1.database.cloud.ovh.net:20184/defaultdb"
    "?sslmode=require",
    "Yugabyte": "postgresql://admin:pw@eu-west-1.abc.aws.yugabyte.cloud:5433/yugabyte"
    "?sslmode=verify-full&sslrootcert={pem}",
    "Prisma": "postgresql://app:pw@db:6432/orders?pgbouncer=true&connection_limit=1&pool_timeout=0",
    "multi-host": "postgresql://app:pw@one:5432,two:5433/orders"
    "?target_session_attrs=primary&connect_timeout=5&application_name=orders",
    "client certificate": "postgresql://app@db/orders?sslmode=verify-ca&sslrootcert={pem}"
    "&sslcert={pem}&sslkey={key}",
    "libpq parameters only": "postgresql://?host=db&port=5433&user=app&password=p%40w&dbname=x",
    "keepalives": "postgresql://app:pw@db/x?keepalives=1&keepalives_idle=30&tcp_user_timeout=9",
    "IPv6": "postgresql://app:pw@[2001:db8::1]:5432/orders",
    "SQLite": "sqlite:///local.db",
    "SQLite, whole path": "sqlite:////data/50% off/local.db",
}
REFUSED = {
    "CockroachDB": (
        "postgresql://a:pw@x.aws-eu.cockroachlabs.cloud:26257/defaultdb",
        "CockroachDB",
    ),
    "libpq key=value": ("host=db port=5432 user=app password=hunter2 dbname=x", "starts with"),
    "another driver": ("postgresql+asyncpg://app:hunter2@db/x", "starts with postgresql://"),
    "JDBC": ("jdbc:postgresql://db/x?user=app&password=hunter2", "starts with"),
    "quotes": ('"postgresql://app:hunter2@db/x"', "starts with"),
    "a command": ("psql postgresql://app:hunter2@db/x", "starts with"),
    "another kind": ("mysql://app:hunter2@db/x", "starts with"),
    "ssl of others": ("postgresql://app:hunter2@db/x?ssl=true", "parameter ssl;"),
    "schema of Prisma": ("postgresql://app:hunter2@db/x?schema=sales", "parameter schema;"),
    "a service file": ("postgresql://app:hunter2@db/x?service=orders", "parameter service;"),
    "GSS": ("postgresql://app:hunter2@db/x?gssencmode=require", "parameter gssencmode;"),
    "unknown": ("postgresql://app:pw@db/x?hunter2=1", "parameter number 1;"),
    "twice": ("postgresql://app:hunter2@db/x?host=a&host=b", "parameter host;"),
    "no such mode": ("postgresql://app:pw@db/x?sslmode=hunter2", "sslmode=disable|allow|prefer"),
    "no such attribute": ("postgresql://a:b@db/x?target_session_attrs=hunter2", "any|primary"),
    "no number": ("postgresql://a:b@db/x?connect_timeout=hunter2", "connect_timeout="),
    "no such file": ("postgresql://a:b@db/x?sslmode=verify-ca&sslrootcert=/hunter2", "PEM files"),
    "no authority": ("postgresql://app:hunter2@db/x?sslmode=verify-full", "sslrootcert=FILE"),
    "contradiction": ("postgresql://a:b@db/x?sslmode=disable&channel_binding=require", "sslroot"),
    "no host": ("postgresql://app:hunter2@/x", "hosts"),
    "no such port": ("postgresql://app:hunter2@db:70000/x", "port"),
    "a port without a host": ("postgresql://app:hunter2@db:1,two:2,/x", "hosts"),
    "fewer ports than hosts": ("postgresql://app:pw@/x?host=a,b,c&port=1,2", "port"),
    "in memory": ("sqlite://", "sqlite:///file"),
    "in memory by name": ("sqlite:///:memory:", "sqlite:///file"),
    "in memory by parameter": ("sqlite:///file:x?mode=memory&uri=true", "sqlite:///file"),
    "SQLite with a parameter": ("sqlite:///x.db?timeout=5", "sqlite:///file"),
    "a socket and a host, IPv6": ("postgresql://app:hunter2@one,[::1]:5434/x", "hosts"),
    "not UTF-8": ("postgresql://app:hunter2%ff@db/x", "UTF-8"),
    "NUL": ("postgresql://app:hunter2%00@db/x", "%2F for /"),
    "line break": ("postgresql://app:hunter2\n@db/x", "%2F for /"),
}


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A certificate and its key."""
    folder = tmp_path_factory.mktemp("tls")
    pem, key = folder / "some.pem", folder / "some.key"
    command = f"openssl req -x509 -nodes -newkey rsa:2048 -subj /CN=x -keyout {key} -out {pem}"
    assert os.system(f"{command} 2> {os.devnull}") == 0
    return {"pem": str(pem), "key": str(key)}


@pytest.mark.parametrize("kind", CLOUDS)
def test_a_url_of_a_cloud_is_accepted_and_an_engine_can_be_made(
    kind: str, files: dict[str, str]
) -> None:
    address = CLOUDS[kind].format(**files)

    used = checked(address, *POSTGRES)

    assert checked(used, *POSTGRES) == used
    build_engine(used, 1, {"statement_timeout": 1000})


@pytest.mark.parametrize("kind", REFUSED)
def test_a_url_that_cannot_work_is_refused_at_the_start_in_one_line_that_shows_nothing(
    kind: str,
) -> None:
    address, expected = REFUSED[kind]

    with pytest.raises(SettingsRefused) as refused:
        load(DatabaseSettings, {"APP_ENVIRONMENT": "test", "APP_DATABASE_URL": address})

    [line] = refused.value.faults
    assert line.startswith("APP_DATABASE_URL: found a secret (not shown); expected ")
    assert expected in line
    assert "hunter2" not in line
    assert "\n" not in line


def options(address: str) -> dict[str, Any]:
    """What asyncpg is given, its text taken apart."""
    found, _ = driver_options(checked(address, *POSTGRES))
    split = urlsplit(found.pop("dsn"))
    user = {"user": split.username, "password": split.password}
    decoded = {name: unquote(value) for name, value in user.items() if value is not None}
    return decoded | dict(parse_qsl(split.query)) | found | {"place": split.netloc + split.path}


def test_what_a_url_says_reaches_the_driver() -> None:
    found = options(CLOUDS["multi-host"])

    assert found["place"] == "app:pw@one:5432,two:5433/orders"
    assert (found["user"], found["password"], found["timeout"]) == ("app", "pw", 5)
    assert (found["application_name"], found["target_session_attrs"]) == ("orders", "primary")
    assert options(CLOUDS["libpq parameters only"])["password"] == "p@w"
    assert options(CLOUDS["libpq parameters only"])["host"] == ["db"]
    assert options(CLOUDS["Google Cloud SQL, Prisma"])["host"] == ["/cloudsql/p:r:db"]
    assert options(CLOUDS["Neon, endpoint"])["options"] == "endpoint=ep-cool-123456"
    assert options("postgresql://a:b@h/x?application_name=a+b")["application_name"] == "a+b"


def test_channel_binding_that_the_driver_lacks_becomes_a_verified_certificate() -> None:
    assert options(CLOUDS["Neon, pooled"])["ssl"] is True  # verified, by public authorities


def test_a_pooler_may_be_named_by_the_url() -> None:
    assert driver_options(CLOUDS["Prisma"])[1]
    assert not driver_options(CLOUDS["Heroku"])[1]


SIGNS = string.printable + "äß€漢字😀\u00a0\u2028\ufb01" + "%/@:[]#?&=+ '\"\\" * 4


def passwords(count: int) -> list[str]:
    """Random ones, each with a word in it that no message may show."""
    choice = random.Random(7)  # the same ones each time
    return [
        "".join(choice.choices(SIGNS, k=choice.randint(0, 12))).replace("\x00", "")
        + "hunter2word"
        + "".join(choice.choices(SIGNS, k=choice.randint(0, 12)))
        for _ in range(count)
    ]


@pytest.mark.parametrize("scheme", ["postgresql", "redis"])
def test_any_password_works_when_it_is_encoded(scheme: str) -> None:
    for password in passwords(1000):
        for safe in ("", "!$'()*,;=+&"):
            used = checked(f"{scheme}://app:{quote(password, safe=safe)}@db:5432/0", scheme)
            if scheme == "postgresql":
                assert options(used)["password"] == password
                assert options(used)["place"].endswith("@db:5432/0")
            assert used == f"{scheme}://app:{quote(password, safe='')}@db:5432/0"
            assert (urlsplit(used).hostname, urlsplit(used).port) == ("db", 5432)


def attempt(address: str, scheme: str) -> tuple[str, str]:
    """The URL that is used, or the refusal."""
    try:
        return checked(address, scheme), ""
    except ValueError as error:
        return "", str(error)


@pytest.mark.parametrize("scheme", ["postgresql", "redis"])
@pytest.mark.parametrize("place", ["://app:{}@db:5432/0", "://{}@db/0", "://db/0?password={}"])
def test_a_password_that_is_not_encoded_works_or_is_refused_and_shown_nowhere(
    scheme: str, place: str
) -> None:
    taken = 0
    for password in passwords(1000):
        used, refusal = attempt(scheme + place.format(password), scheme)
        assert "hunter2word" not in refusal
        assert "\n" not in refusal
        if refusal:
            continue
        taken += 1
        assert (urlsplit(used).hostname, urlsplit(used).port) in {("db", 5432), ("db", None)}
        if "{}@" in place and "app" in place and not re.search(r"%[\da-fA-F]{2}", password):
            assert used == f"{scheme}://app:{quote(password, safe='')}@db:5432/0"
    if scheme == "redis" and "?" in place:  # a parameter would sign no value of the cache
        assert taken == 0
    else:
        assert 0 < taken < 1000


CACHES = {
    "Heroku": "rediss://:pw@ec2-1-2-3-4.compute-1.amazonaws.com:20580?ssl_cert_reqs=none",
    "AWS ElastiCache": "rediss://app:pw@master.orders.abc123.euw1.cache.amazonaws.com:6379",
    "Azure": "rediss://:Ab12=@orders.redis.cache.windows.net:6380/0",
    "Google Memorystore": "redis://10.0.0.3:6379/0",
    "Upstash": "rediss://default:pw@eu1-sure-crab-1.upstash.io:6379",
    "Redis Cloud": "redis://default:pw@redis-1.c1.eu-west-1-1.ec2.redns.redis-cloud.com:12345",
    "own authority": "rediss://db/1?ssl_cert_reqs=required&ssl_ca_certs=/etc/ca.pem&db=1",
    "IPv6": "redis://[::1]:6379/0",
}
REFUSED_CACHES = [
    *("redis://", "redis:///0", "redis://a:1,b:2/0", "redis://%2Ftmp%2Fredis.sock/0"),
    *("redis://db/hunter2", "redis://db/-1", "redis://db?hunter2=1", "redis://db?family=6"),
    *("redis://db?db=hunter2", "redis://db?decode_responses=true", "redis://db?protocol=hunter2"),
    *("redis://db?ssl_cert_reqs=none", "rediss://db?ssl_cert_reqs=CERT_NONE", "redis://db?ssl=1"),
    *("redis://db?password=hunter2", "valkeys://a:hunter2@db", "redis+sentinel://db"),
]


@pytest.mark.parametrize("kind", CACHES)
def test_a_url_of_a_clouds_cache_is_accepted_and_a_cache_can_be_made(kind: str) -> None:
    settings = load(CacheSettings, {"APP_ENVIRONMENT": "test", "APP_CACHE_URL": CACHES[kind]})

    Cache(settings.cache_url.get_secret_value(), prefix="orders")


@pytest.mark.parametrize("address", REFUSED_CACHES)
def test_a_url_of_a_cache_that_cannot_work_is_refused_at_the_start(address: str) -> None:
    with pytest.raises(SettingsRefused) as refused:
        load(CacheSettings, {"APP_ENVIRONMENT": "test", "APP_CACHE_URL": address})

    [line] = refused.value.faults
    assert line.startswith("APP_CACHE_URL: found a secret (not shown); expected ")
    assert "hunter2" not in line


def test_the_hosts_of_a_url_take_turns_if_it_says_which_is_right() -> None:
    for place in ("app:pw@one:1,two:2,three:3/x?", "app:pw@/x?host=one,two,three&port=1,2,3&"):
        found, _ = driver_options(f"postgresql://{place}target_session_attrs=primary")
        _turn_hosts(found)
        hosts = found.get("host"), found.get("port")
        assert "two:2,three:3,one:1" in found["dsn"] or hosts == (
            ["two", "three", "one"],
            [2, 3, 1],
        )

    found, _ = driver_options("postgresql://app:pw@one:1,two:2/x")
    before = dict(found)
    _turn_hosts(found)
    assert found == before  # the first is the one that is wanted
