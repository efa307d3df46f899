# SPDX-License-Identifier: Apache-2.0
# Embeds share/schema/*.json: a table of names and texts, ended by NULL.
BEGIN { print "/* Generated from share/schema. */\n#include \"fleet/schema.h\"\nconst struct schema_text schema_texts[] = {" }
FNR == 1 {
    if (NR > 1) print "    },"
    name = FILENAME; sub(/.*\//, "", name); sub(/\.json$/, "", name)
    print "    {\"" name "\","
}
{ sub(/^[ \t]+/, ""); gsub(/\\/, "&&"); gsub(/"/, "\\\""); print "    \"" $0 "\"" }
END { print "    },\n    {0, 0}\n};" }
