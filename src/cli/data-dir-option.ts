import { Option } from 'commander';

/** `--data-dir`: sets `DATA_DIR` for this process and the programs that it starts, before anything reads it. */
export const dataDirOption = (): Option =>
  new Option('--data-dir <directory>', 'instead of DATA_DIR').argParser((directory: string) => {
    process.env.DATA_DIR = directory;
    return directory;
  });
