"""What commands share: parser, exit codes, streams, progress, output folders."""
