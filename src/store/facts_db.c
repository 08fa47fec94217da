#include "store/facts_db.h"

#include <string.h>

#include <sqlite3.h>

#include "base/check.h"
#include "base/mem.h"

#define APPLICATION 0x66727368 /* "frsh", in the header of the file */
#define BUSY_MS     2000       /* the other connection holds a lock for microseconds */
#define CACHE_KB    "2000"     /* of pages, for each connection */

struct facts_db {
    sqlite3 *sqlite;
    sqlite3_stmt *begin, *commit, *undo, *put, *drop, *put_row, *drop_row;
    int log_pages;
    bool in_transaction;
};

/* ---- what went wrong ---- */

static enum facts_status status_of(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW: return FACTS_GOOD;
    case SQLITE_IOERR: return FACTS_LOST;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_SCHEMA:
    case SQLITE_ERROR: return FACTS_DAMAGED;
    default: return FACTS_LATER;
    }
}

/* No file was touched: there was no memory, or no room for what the connections share. */
static bool is_harmless(int extended)
{
    return extended == SQLITE_IOERR_NOMEM || extended == SQLITE_IOERR_SHMSIZE ||
           extended == SQLITE_IOERR_SHMMAP || extended == SQLITE_IOERR_SHMOPEN ||
           extended == SQLITE_IOERR_SHMLOCK || extended == SQLITE_IOERR_LOCK;
}

static enum facts_status failed(struct facts_db *db, int code, struct buf *error)
{
    int extended = db->sqlite ? sqlite3_extended_errcode(db->sqlite) : code;
    enum facts_status status = status_of(extended ? extended : code);
    if (is_harmless(extended))
        status = FACTS_LATER;
    buf_add(error, str_from(db->sqlite ? sqlite3_errmsg(db->sqlite) : sqlite3_errstr(code)));
    return status == FACTS_GOOD ? FACTS_LATER : status;
}

static enum facts_status undo(struct facts_db *db, enum facts_status status)
{
    if (db->in_transaction && !sqlite3_get_autocommit(db->sqlite)) {
        sqlite3_step(db->undo);
        sqlite3_reset(db->undo);
    }
    db->in_transaction = false;
    return status;
}

/* ---- open and close ---- */

static int note_log(void *ctx, sqlite3 *sqlite, const char *name, int pages)
{
    struct facts_db *db = ctx;
    (void)sqlite;
    (void)name;
    db->log_pages = pages;
    return SQLITE_OK;
}

static int number(struct facts_db *db, const char *pragma, int64_t *out)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(db->sqlite, pragma, -1, &s, NULL);
    if (code == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW)
        *out = sqlite3_column_int64(s, 0);
    int end = sqlite3_finalize(s);
    return code ? code : end;
}

/* *is_kept: there is a write-ahead log. Without one a commit would not be safe in a power cut. */
static int keep_log(struct facts_db *db, bool *is_kept)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(db->sqlite, "PRAGMA journal_mode=WAL", -1, &s, NULL);
    *is_kept = code == SQLITE_OK && sqlite3_step(s) == SQLITE_ROW &&
               str_eq(str_from((const char *)sqlite3_column_text(s, 0)), STR("wal"));
    int end = sqlite3_finalize(s);
    return code ? code : end;
}

static const char make_tables[] =
    "BEGIN IMMEDIATE;"
    "CREATE TABLE fact(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE row(key INTEGER PRIMARY KEY, value BLOB NOT NULL);"
    "PRAGMA application_id=1718776680;" /* APPLICATION */
    "PRAGMA user_version=1;"            /* FACTS_VERSION */
    "COMMIT;";

_Static_assert(APPLICATION == 1718776680 && FACTS_VERSION == 1, "as make_tables writes them");

static enum facts_status set_up(struct facts_db *db, struct buf *error)
{
    int64_t application = 0, version = 0, tables = 0;
    bool has_log = false;
    int code = keep_log(db, &has_log);
    if (!code)
        code = sqlite3_exec(db->sqlite,
                            "PRAGMA synchronous=FULL; PRAGMA cache_size=-" CACHE_KB ";"
                            "PRAGMA wal_autocheckpoint=0;",
                            NULL, NULL, NULL);
    if (!code)
        code = number(db, "PRAGMA application_id", &application);
    if (!code)
        code = number(db, "PRAGMA user_version", &version);
    if (!code)
        code = number(db, "SELECT count(*) FROM sqlite_schema", &tables);
    if (!code && tables == 0 && application == 0) {
        code = sqlite3_exec(db->sqlite, make_tables, NULL, NULL, NULL);
        application = APPLICATION, version = FACTS_VERSION;
    }
    if (code)
        return failed(db, code, error);
    if (!has_log) {
        buf_add(error, STR("this file system keeps no write-ahead log"));
        return FACTS_LATER;
    }
    sqlite3_wal_hook(db->sqlite, note_log, db); /* replaces what wal_autocheckpoint has set */
    if (application != APPLICATION) {
        buf_add(error, STR("it is no file of freshet's"));
        return FACTS_DAMAGED;
    }
    if (version > FACTS_VERSION) {
        buf_add(error, STR("a newer freshet made it"));
        return FACTS_NEWER;
    }
    return FACTS_GOOD;
}

static enum facts_status prepare(struct facts_db *db, struct buf *error)
{
    const struct {
        sqlite3_stmt **to;
        const char *text;
    } all[] = {
        { &db->begin, "BEGIN IMMEDIATE" },
        { &db->commit, "COMMIT" },
        { &db->undo, "ROLLBACK" },
        { &db->put, "INSERT OR REPLACE INTO fact VALUES(?1, ?2)" },
        { &db->drop, "DELETE FROM fact WHERE key=?1" },
        { &db->put_row, "INSERT OR REPLACE INTO row VALUES(?1, ?2)" },
        { &db->drop_row, "DELETE FROM row WHERE key=?1" },
    };
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        int code =
            sqlite3_prepare_v3(db->sqlite, all[i].text, -1, SQLITE_PREPARE_PERSISTENT, all[i].to, NULL);
        if (code)
            return failed(db, code, error);
    }
    return FACTS_GOOD;
}

struct facts_db *facts_db_open(const char *path, enum facts_status *status, struct buf *error)
{
    struct facts_db *db = mem_alloc(sizeof(*db));
    int code = sqlite3_open_v2(path, &db->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    if (!code) {
        sqlite3_extended_result_codes(db->sqlite, 1);
        sqlite3_busy_timeout(db->sqlite, BUSY_MS);
    }
    *status = code ? failed(db, code, error) : set_up(db, error);
    if (*status == FACTS_GOOD)
        *status = prepare(db, error);
    if (*status == FACTS_GOOD)
        return db;
    facts_db_close(db, true);
    return NULL;
}

void facts_db_close(struct facts_db *db, bool untouched)
{
    if (!db)
        return;
    if (untouched && db->sqlite)
        sqlite3_db_config(db->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_stmt *all[] = { db->begin, db->commit, db->undo, db->put, db->drop, db->put_row, db->drop_row };
    for (size_t i = 0; i < COUNT_OF(all); i++)
        sqlite3_finalize(all[i]);
    sqlite3_close(db->sqlite);
    mem_free(db);
}

/* ---- reading ---- */

static struct str column(sqlite3_stmt *s, int i)
{
    const void *p = sqlite3_column_blob(s, i);
    return (struct str){ p, p ? (size_t)sqlite3_column_bytes(s, i) : 0 };
}

static bool take_row(const struct facts_reader *reader, sqlite3_stmt *s)
{
    struct facts_row row;
    struct str value = column(s, 1);
    int64_t key = sqlite3_column_int64(s, 0);
    if (key < 0 || value.n == 0 || value.n > sizeof(row.bytes))
        return false;
    row.key = (uint64_t)key;
    row.n = value.n;
    memcpy(row.bytes, value.p, value.n);
    return reader->row(reader->ctx, &row);
}

static bool take_fact(const struct facts_reader *reader, sqlite3_stmt *s)
{
    struct str key = column(s, 0), value = column(s, 1);
    if (key.n == 0 || value.n == 0)
        return false;
    reader->fact(reader->ctx, key, value);
    return true;
}

static enum facts_status read_all(struct facts_db *db, const char *text,
                                  bool (*take)(const struct facts_reader *, sqlite3_stmt *),
                                  const struct facts_reader *reader, struct buf *error)
{
    sqlite3_stmt *s = NULL;
    int code = sqlite3_prepare_v2(db->sqlite, text, -1, &s, NULL);
    bool good = true;
    while (!code && good && (code = sqlite3_step(s)) == SQLITE_ROW) {
        code = SQLITE_OK;
        good = take(reader, s);
    }
    enum facts_status status = FACTS_GOOD;
    if (!good) {
        buf_add(error, STR("it has a row that freshet never wrote"));
        status = FACTS_DAMAGED;
    } else if (code != SQLITE_DONE) {
        status = failed(db, code, error);
    }
    sqlite3_finalize(s);
    return status;
}

enum facts_status facts_db_read(struct facts_db *db, const struct facts_reader *reader, struct buf *error)
{
    enum facts_status status =
        read_all(db, "SELECT key, value FROM fact ORDER BY key", take_fact, reader, error);
    if (status == FACTS_GOOD)
        status = read_all(db, "SELECT key, value FROM row ORDER BY key", take_row, reader, error);
    return status;
}

/* ---- writing ---- */

static enum facts_status run(struct facts_db *db, sqlite3_stmt *s, struct buf *error)
{
    int code = sqlite3_step(s);
    enum facts_status status = code == SQLITE_DONE ? FACTS_GOOD : failed(db, code, error);
    sqlite3_reset(s);
    return status == FACTS_GOOD ? FACTS_GOOD : undo(db, status);
}

enum facts_status facts_db_begin(struct facts_db *db, struct buf *error)
{
    CHECK(!db->in_transaction);
    enum facts_status status = run(db, db->begin, error);
    db->in_transaction = status == FACTS_GOOD;
    return status;
}

enum facts_status facts_db_clear(struct facts_db *db, struct buf *error)
{
    CHECK(db->in_transaction);
    int code = sqlite3_exec(db->sqlite, "DELETE FROM fact; DELETE FROM row;", NULL, NULL, NULL);
    return code ? undo(db, failed(db, code, error)) : FACTS_GOOD;
}

enum facts_status facts_db_put(struct facts_db *db, struct str key, struct str value, struct buf *error)
{
    sqlite3_stmt *s = value.n ? db->put : db->drop;
    CHECK(db->in_transaction && key.n);
    sqlite3_bind_text64(s, 1, key.p, key.n, SQLITE_STATIC, SQLITE_UTF8);
    if (value.n)
        sqlite3_bind_blob64(s, 2, value.p, value.n, SQLITE_STATIC);
    return run(db, s, error);
}

enum facts_status facts_db_put_row(struct facts_db *db, const struct facts_row *row, struct buf *error)
{
    sqlite3_stmt *s = row->n ? db->put_row : db->drop_row;
    CHECK(db->in_transaction && row->key <= INT64_MAX && row->n <= sizeof(row->bytes));
    sqlite3_bind_int64(s, 1, (int64_t)row->key);
    if (row->n)
        sqlite3_bind_blob64(s, 2, row->bytes, row->n, SQLITE_STATIC);
    return run(db, s, error);
}

enum facts_status facts_db_commit(struct facts_db *db, struct buf *error)
{
    CHECK(db->in_transaction);
    enum facts_status status = run(db, db->commit, error);
    db->in_transaction = false;
    return status;
}

int facts_db_log_pages(const struct facts_db *db)
{
    return db->log_pages;
}

enum facts_status facts_db_tidy(struct facts_db *db, struct buf *error)
{
    int code = sqlite3_wal_checkpoint_v2(db->sqlite, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    return code == SQLITE_OK || code == SQLITE_BUSY ? FACTS_GOOD : failed(db, code, error);
}
