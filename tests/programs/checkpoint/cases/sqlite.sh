#: about: sqlite3 writing a database in transactions, checked at the end
#: needs: sqlite3
#: run: sqlite3 -init {folder}/sqlite.sql a.db .quit
#: uses: sqlite.sql
