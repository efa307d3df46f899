/* SPDX-License-Identifier: Apache-2.0 */
#include "base/doc_lines.h"
#include "base/yaml_read.h"

const struct yaml_ops yaml_ops = {
    .read = yaml_read_docs,
    .write = yaml_emit_doc,
};
