/* SPDX-License-Identifier: Apache-2.0 */
/* The least that it takes to put files on a disk: writes COUNT files of SIZE bytes into a new folder,
 * each with fsync, then the folder's.
 *   files FOLDER COUNT SIZE */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    size_t size = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
    int count = argc == 4 ? (int)strtol(argv[2], NULL, 10) : 0, dir, i;
    char *content = size ? malloc(size) : NULL, name[32];

    if (!content || count < 1) {
        fprintf(stderr, "usage: files FOLDER COUNT SIZE\n");
        return 2;
    }
    memset(content, 'x', size);
    if (mkdir(argv[1], 0755) < 0 || (dir = open(argv[1], O_RDONLY | O_DIRECTORY)) < 0) {
        perror(argv[1]);
        return 1;
    }
    for (i = 0; i < count; i++) {
        int fd;

        snprintf(name, sizeof name, "f%d", i);
        fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, 0644);
        if (fd < 0 || write(fd, content, size) != (ssize_t)size || fsync(fd) < 0 || close(fd) < 0) {
            perror(name);
            return 1;
        }
    }
    free(content);
    if (fsync(dir) < 0 || close(dir) < 0) {
        perror(argv[1]);
        return 1;
    }
    return 0;
}
