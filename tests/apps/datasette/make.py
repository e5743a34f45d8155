# A database with two tables, the same one every time.
import sqlite3

with sqlite3.connect("shop.db") as database:
    database.executescript("""
        drop table if exists orders; drop table if exists products;
        create table products (id integer primary key, name text, price integer);
        create table orders (id integer primary key, product integer references products(id));
    """)
    database.executemany("insert into products values (?, ?, ?)", [(n, f"thing {n}", n * 7) for n in range(1, 251)])
    database.executemany("insert into orders values (?, ?)", [(n, n % 250 + 1) for n in range(1, 31)])
