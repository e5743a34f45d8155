//! SQL, and what databases say about it. Knows text only.

use super::text::find_all;
use super::traces::value;

/// The databases' own words, and those of what stands before them.
const MARKS: [&str; 51] = [
    // PostgreSQL
    "duplicate key value violates",
    "violates foreign key constraint",
    "violates not-null constraint",
    "violates check constraint",
    "violates unique constraint",
    "syntax error at or near",
    "invalid input syntax for type",
    "password authentication failed for user",
    "permission denied for table",
    "permission denied for relation",
    "permission denied for schema",
    "current transaction is aborted",
    "null value in column",
    "SQLSTATE",
    "PG::",
    "psycopg2.",
    "psycopg.errors.",
    "org.postgresql.",
    // MySQL
    "error in your SQL syntax",
    "Unknown column '",
    "Access denied for user '",
    "ER_DUP_ENTRY",
    "ER_PARSE_ERROR",
    "ER_BAD_FIELD_ERROR",
    "ER_NO_SUCH_TABLE",
    "ER_ACCESS_DENIED_ERROR",
    "ER_ROW_IS_REFERENCED",
    "ER_NO_REFERENCED_ROW",
    "Cannot add or update a child row",
    // SQLite
    "SQLITE_",
    "no such table: ",
    "no such column: ",
    "UNIQUE constraint failed",
    "NOT NULL constraint failed",
    "FOREIGN KEY constraint failed",
    // MongoDB
    "E11000 duplicate key",
    "MongoServerError",
    "MongoNetworkError",
    "MongooseError",
    "Cast to ObjectId failed",
    // SQL Server
    "Incorrect syntax near",
    "Unclosed quotation mark after the character string",
    "Invalid object name '",
    "Violation of PRIMARY KEY constraint",
    "Violation of UNIQUE KEY constraint",
    // what stands between
    "sqlalchemy.exc.",
    "(Background on this error at: https://sqlalche.me",
    "SequelizeDatabaseError",
    "PrismaClient",
    "ActiveRecord::",
    "could not execute statement; SQL",
];

/// How a statement or complaint begins and what follows in it. Capitals are code; small letters may be a sentence.
const STATEMENTS: [(&str, &str); 19] = [
    ("relation \"", "\" does not exist"),
    ("column \"", "\" does not exist"),
    ("database \"", "\" does not exist"),
    ("role \"", "\" does not exist"),
    ("SELECT ", " FROM "),
    ("INSERT INTO ", "("),
    ("INSERT INTO ", " VALUES"),
    ("UPDATE ", " SET "),
    ("DELETE FROM ", " WHERE "),
    ("CREATE TABLE ", "("),
    ("ALTER TABLE ", " "),
    ("DROP TABLE ", " "),
    ("select * from ", ""),
    ("select \"", " from "),
    ("select `", " from "),
    ("insert into \"", "("),
    ("insert into `", "("),
    ("update \"", " set "),
    ("update `", " set "),
];

/// A statement's second part is not looked for further than this.
const LONGEST_LIST: usize = 1_024;

/// Keys under which drivers tell a statement or what is wrong with it.
const KEYS: [&str; 4] = ["\"sql\"", "\"sqlMessage\"", "\"sqlState\"", "\"routine\""];

/// Whether there is SQL in a text.
pub(super) fn is_there(text: &[u8]) -> bool {
    let has_mark = MARKS
        .iter()
        .any(|mark| find_all(text, mark).next().is_some());
    has_mark
        || has_oracle(text)
        || STATEMENTS
            .iter()
            .any(|(begin, then)| has_statement(text, begin, then))
}

/// Whether a body has some under a key of its own.
pub(super) fn has_key(body: &[u8]) -> bool {
    KEYS.iter().any(|key| {
        find_all(body, key).any(|at| {
            let value = value(&body[at + key.len()..]);
            value.is_some_and(|value| value.starts_with(b"\"") && !value.starts_with(b"\"\""))
        })
    })
}

fn has_statement(text: &[u8], begin: &str, then: &str) -> bool {
    find_all(text, begin).any(|at| {
        let is_word = at
            .checked_sub(1)
            .is_none_or(|before| !text[before].is_ascii_alphanumeric());
        let rest = &text[at + begin.len()..];
        let rest = &rest[..rest.len().min(LONGEST_LIST)];
        is_word && (then.is_empty() || memchr::memmem::find(rest, then.as_bytes()).is_some())
    })
}

/// `ORA-00942: …`.
fn has_oracle(text: &[u8]) -> bool {
    find_all(text, "ORA-").any(|at| {
        let digits = text[at + 4..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit());
        digits.count() == 5
    })
}
