//! Bodies of errors, as frameworks, languages and databases send them, each with what it shows. Those in files are
//! what the frameworks themselves sent.

use super::Leak;

/// A body, and what it shows.
pub(super) type Case = (&'static str, Option<Leak>, &'static [u8]);

macro_rules! sent {
    ($leak:expr, $($file:literal),*) => {
        [$(($file, $leak, include_bytes!(concat!("bodies/", $file)).as_slice())),*]
    };
}

pub(super) fn all() -> Vec<Case> {
    let written = WRITTEN
        .iter()
        .map(|(name, leak, body)| (*name, *leak, body.as_bytes()));
    let traces = sent!(
        Some(Leak::Trace),
        "trace.django.txt",
        "trace.errorhandler.json",
        "trace.errorhandler.txt",
        "trace.express-development.html",
        "trace.express-json.json",
        "trace.express4-development.html",
        "trace.java.txt",
        "trace.python.txt"
    );
    let sound = sent!(
        None,
        "sound.express-production.html",
        "sound.express4-production.html",
        "sound.fastify.json",
        "sound.flask.html",
        "sound.koa.txt"
    );
    let paths = sent!(Some(Leak::Path), "path.fastify-file.json");
    traces
        .into_iter()
        .chain(sound)
        .chain(paths)
        .chain(written)
        .collect()
}

const TRACE: Option<Leak> = Some(Leak::Trace);
const SQL: Option<Leak> = Some(Leak::Sql);
const PATH: Option<Leak> = Some(Leak::Path);

const WRITTEN: &[(&str, Option<Leak>, &str)] = &[
    // traces
    (
        "Node, one frame",
        TRACE,
        "Error: x\n    at async load (node:internal/deps:12:5)",
    ),
    (
        "Node on Windows",
        TRACE,
        r#"{"e":"Error\n    at f (C:\\shop\\bin\\www:3:9)"}"#,
    ),
    ("a module", TRACE, "at file:///srv/shop/x.mjs:3:9"),
    (
        "a bundle",
        TRACE,
        "TypeError: x is undefined\n    at handler (webpack:///./src/api.ts:10:3)",
    ),
    (
        "nested JSON",
        TRACE,
        r#"{"body":"{\"stack\":\"Error: x\\n    at f (dist/a.js:3:9)\"}"}"#,
    ),
    (
        "stack as a list",
        TRACE,
        r#"{"message":"x", "stack": ["f", "g"]}"#,
    ),
    (
        "trace as text",
        TRACE,
        r#"{"status":500,"trace":"x\n\tat y"}"#,
    ),
    (
        "Flask",
        TRACE,
        "<h4>File <cite class=\"filename\">\"shop.py\"</cite>,\n line <em class=\"line\">15</em>,",
    ),
    (
        "Starlette",
        TRACE,
        "<p>File <span>shop.py</span>,line <i>12</i>,\nin <b>home</b>",
    ),
    (
        "Spring",
        TRACE,
        "{\"error\":\"x\",\"trace\":\"java.lang.RuntimeException: x\\r\\n\\tat com.acme.Shop.find(Shop.java:12)\"}",
    ),
    (
        "Java without sources",
        TRACE,
        "x\n\tat com.acme.Shop.find(Unknown Source)\n\tat com.acme.Shop.main(Native Method)",
    ),
    ("Kotlin", TRACE, "at com.acme.ShopKt.main(Shop.kt:3)"),
    (
        ".NET",
        TRACE,
        "System.Exception: x\n   at Acme.Shop.Find(String id) in Shop.cs:line 12",
    ),
    (
        ".NET without sources",
        TRACE,
        "x\r\n   at Acme.Shop.Find(String id)\r\n   at Acme.Shop.<Main>(String[] args)",
    ),
    (
        "ASP.NET's page",
        TRACE,
        "<h1>Server Error in '/' Application.</h1><b>Stack Trace:</b> <code>",
    ),
    (
        "Ruby",
        TRACE,
        "RuntimeError (x):\napp/models/order.rb:12:in `find'",
    ),
    (
        "PHP",
        TRACE,
        "<b>Fatal error</b>: Uncaught Error in <b>index.php</b> on line <b>3</b><br />",
    ),
    (
        "PHP's trace",
        TRACE,
        "Exception: x in shop.php:3\nStack trace:\n#0 shop.php(12): find()\n#1 {main}",
    ),
    (
        "Laravel",
        TRACE,
        r#"{"message":"x","file":"shop.php","line":3,"trace":[{"file":"a.php"}]}"#,
    ),
    (
        "Go",
        TRACE,
        "panic: boom\n\ngoroutine 1 [running]:\nmain.main()\n\t/x/main.go:5 +0x1d",
    ),
    (
        "Rust",
        TRACE,
        "thread 'main' panicked at src/main.rs:4:5:\nboom",
    ),
    (
        "Elixir",
        TRACE,
        "(shop 0.1.0) lib/shop/orders.ex:12: Shop.Orders.find/1",
    ),
    ("Perl", TRACE, "died at shop.pl line 12."),
    // SQL
    (
        "knex",
        SQL,
        r#"{"message":"select * from users where id = $1 - no"}"#,
    ),
    (
        "a statement",
        SQL,
        "Error near SELECT id, name FROM users WHERE id = 1",
    ),
    (
        "an insert",
        SQL,
        r#"failed: INSERT INTO "users" ("name") VALUES ($1)"#,
    ),
    ("sql in JSON", SQL, r#"{"code":"X","sql":"anything"}"#),
    (
        "mysql2",
        SQL,
        r#"{"code":"ER_BAD_FIELD_ERROR","errno":1054,"sqlMessage":"Unknown column 'x'"}"#,
    ),
    (
        "PostgreSQL",
        SQL,
        r#"{"error":"relation \"users\" does not exist"}"#,
    ),
    (
        "pg's error",
        SQL,
        r#"{"severity":"ERROR","code":"42P01","routine":"parserOpenTable"}"#,
    ),
    (
        "a constraint",
        SQL,
        "duplicate key value violates unique constraint \"users_email_key\"",
    ),
    ("SQLite", SQL, "SQLITE_ERROR: no such table: users"),
    (
        "MongoDB",
        SQL,
        "E11000 duplicate key error collection: shop.users index: email_1",
    ),
    (
        "MySQL",
        SQL,
        "You have an error in your SQL syntax; check the manual",
    ),
    ("PDO", SQL, "SQLSTATE[42S02]: Base table or view not found"),
    ("Oracle", SQL, "ORA-00942: table or view does not exist"),
    ("SQL Server", SQL, "Incorrect syntax near 'x'."),
    ("SQLAlchemy", SQL, "(sqlalchemy.exc.OperationalError) x"),
    // paths
    ("a configuration", PATH, "cannot read /etc/shop/shop.conf"),
    (
        "a home",
        PATH,
        "<p>Template /home/deploy/shop/views/index.ejs is broken</p>",
    ),
    (
        "slashes escaped",
        PATH,
        r#"{"file":"\/var\/www\/shop\/artisan"}"#,
    ),
    ("a package", PATH, "Cannot find module node_modules/pg/lib"),
    (
        "Windows",
        PATH,
        r#"{"error":"C:\\inetpub\\shop\\Web.config"}"#,
    ),
    ("Windows in text", PATH, r"Could not find D:\shop\data"),
    (
        "a relative file",
        PATH,
        "ENOENT: no such file or directory, open 'config/keys'",
    ),
    (
        "Python's files",
        PATH,
        "[Errno 2] No such file or directory: 'keys.txt'",
    ),
    // what an app may say
    ("empty", None, ""),
    (
        "Nest",
        None,
        r#"{"statusCode":500,"message":"Internal server error"}"#,
    ),
    (
        "Spring's default",
        None,
        r#"{"timestamp":"2026-01-02T10:30:15.123Z","status":500,"error":"Internal Server Error","path":"/api/orders"}"#,
    ),
    (
        "the guides' handler",
        None,
        r#"{"error":{"message":"An unexpected error occurred","code":"INTERNAL_ERROR","status":500}}"#,
    ),
    (
        "problem details",
        None,
        r#"{"type":"https://example.com/probs/out-of-stock","title":"Out of stock","status":503,"instance":"/orders/12"}"#,
    ),
    (
        "a trace's id",
        None,
        r#"{"error":"x","trace":"4bf92f3577b34da6a3ce929d0e0e4736","traceId":"1-5f"}"#,
    ),
    (
        "a trace's fields",
        None,
        r#"{"trace":{"id":"4bf92f","span":"00f067"},"stack":"production-eu"}"#,
    ),
    (
        "no trace",
        None,
        r#"{"stack":null,"trace":[],"stackTrace":"","sql":""}"#,
    ),
    (
        "a sentence with SQL's words",
        None,
        "Please select one item from the list, then update your set of tags.",
    ),
    (
        "a quoted name",
        None,
        r#"{"error":"the project \"Roof\" does not exist any more"}"#,
    ),
    (
        "a meeting",
        None,
        "The courier stands at Bistro/Bar 10:30:15 and waits.\nat St. Mary's (downtown)",
    ),
    (
        "hosts with ports",
        None,
        "upstream orders.example.rs:8080 and api.example.pl:443 are not reachable",
    ),
    (
        "addresses",
        None,
        r#"{"docs":"https://example.com/home/help/errors.html","next":"/app/orders","see":"/home/deals","css":"/static/app.css"}"#,
    ),
    (
        "a web root",
        None,
        "see //cdn.example.com/usr/share/x or https://example.com/var/www/x.js",
    ),
    (
        "lines in JSON",
        None,
        r#"{"steps":"A:\nhello\nB:\nworld","quote":"Q:\nwhy?"}"#,
    ),
    (
        "a drive in passing",
        None,
        "Choose drive C: or D: and ratio 16:9, 1:2:3",
    ),
    (
        "GraphQL",
        None,
        r#"{"errors":[{"message":"boom","locations":[{"line":1,"column":3}],"path":["order"],"extensions":{"code":"INTERNAL_SERVER_ERROR"}}],"data":null}"#,
    ),
    (
        "gRPC in JSON",
        None,
        r#"{"code":13,"message":"internal","details":[]}"#,
    ),
    (
        "AWS",
        None,
        r#"{"__type":"com.amazon.coral.service#InternalFailure"}"#,
    ),
    (
        "XML",
        None,
        "<?xml version=\"1.0\"?><Error><Code>InternalError</Code><Message>We failed.</Message><Resource>/bucket/key</Resource></Error>",
    ),
    (
        "another proxy",
        None,
        "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.25.3</center>\r\n</body>\r\n</html>\r\n",
    ),
    (
        "a page with scripts",
        None,
        "<!doctype html><script src=\"/static/main.3f2a.js\"></script><style>a{b:c}</style><img src='/img/var.png'><a href=/home>x</a> &copy; 2026 10:30:15",
    ),
    (
        "other alphabets",
        None,
        "{\"error\":\"Ошибка сервера, попробуйте позже\"}",
    ),
];
