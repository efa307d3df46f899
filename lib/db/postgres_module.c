/* SPDX-License-Identifier: Apache-2.0 */
/* Module "postgres": the seam over PostgreSQL with libpq, for commands whose store is there. */
#include "db/ops.h"

extern const struct db_ops *const postgres_ops;
const struct db_ops *const postgres_ops = &db_postgres;
