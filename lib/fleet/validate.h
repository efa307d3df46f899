/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of device specs (validate_spec.c) and of what stands elsewhere (validate_ref.c), for the
 * table in validate.c. */
#ifndef FC_FLEET_VALIDATE_H
#define FC_FLEET_VALIDATE_H

#include "fleet/schema.h"

enum {
    CONTENT_MAX = 1 << 20,   /* bytes of one file, decoded: a configuration is no image */
    FILE_PATH_MAX = 4095,    /* PATH_MAX without its NUL */
    RELATIVE_PATH_MAX = 253, /* as existing clients limit it */
};

void check_parameters(struct schema_run *r, jv v);
void check_literal(struct schema_run *r, jv v);
void check_config(struct schema_run *r, jv v);
void check_files(struct schema_run *r, jv v);
void check_content(struct schema_run *r, jv v);
void check_mode(struct schema_run *r, jv v);
void check_file_path(struct schema_run *r, jv v);
void check_folder_path(struct schema_run *r, jv v);
void check_disk_path(struct schema_run *r, jv v);
void check_source_path(struct schema_run *r, jv v);
void check_relative_path(struct schema_run *r, jv v);
void check_applications(struct schema_run *r, jv v);
void check_env(struct schema_run *r, jv v);
void check_ports(struct schema_run *r, jv v);
void check_volumes(struct schema_run *r, jv v);
void check_volume_image(struct schema_run *r, jv v);
void check_mount_path(struct schema_run *r, jv v);
void check_monitors(struct schema_run *r, jv v);
void check_alerts(struct schema_run *r, jv v);
void check_share(struct schema_run *r, jv v);
void check_os(struct schema_run *r, jv v);
void check_image(struct schema_run *r, jv v);
void check_image_or_none(struct schema_run *r, jv v);
void check_image_name(struct schema_run *r, jv v);
void check_url(struct schema_run *r, jv v);
void check_url_or_none(struct schema_run *r, jv v);
void check_git_url(struct schema_run *r, jv v);
void check_registry(struct schema_run *r, jv v);
void check_http_auth(struct schema_run *r, jv v);
void check_ssh_auth(struct schema_run *r, jv v);
void check_container(struct schema_run *r, jv v);
void check_packaged(struct schema_run *r, jv v);
void check_host_ports(struct schema_run *r, jv v);
void check_cron(struct schema_run *r, jv v);
void check_time_zone(struct schema_run *r, jv v);

/* Is it text that only a device's metadata completes? The renderer's result is checked again. */
bool has_parameters(const struct schema_run *r, const char *s);
/* Adds text to the set *seen (an object); false when it was there. */
bool set_add(jv *seen, const char *text);

#endif
