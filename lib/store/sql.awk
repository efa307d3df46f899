# SPDX-License-Identifier: Apache-2.0
# Turns .sql files with "-- :name NAME" lines into sql.h (an enum) and sql.c (the texts).
/^-- :name / { name = $3; names[++n] = name; text[name] = ""; next }
/^--/ || /^[ \t]*$/ { next }
name == "" { print FILENAME ":" FNR ": statement without a name" >"/dev/stderr"; exit 1 }
{
    sub(/[ \t]+$/, ""); gsub(/\\/, "\\\\"); gsub(/"/, "\\\"")
    text[name] = text[name] "    \"" $0 "\\n\"\n"
}
END {
    h = out "/sql.h"; c = out "/sql.c"
    print "/* Generated from the .sql files of lib/store. */\n#ifndef FC_GEN_SQL_H\n#define FC_GEN_SQL_H" >h
    print "enum sql {" >h
    print "/* Generated from the .sql files of lib/store. */\n#include \"sql.h\"\nconst char *const sql_text[] = {" >c
    for (i = 1; i <= n; i++) {
        print "    SQL_" names[i] "," >h
        print "[SQL_" names[i] "] =\n" text[names[i]] "    ," >c
    }
    print "    SQL_COUNT\n};\nextern const char *const sql_text[];\n#endif" >h
    print "};" >c
}
