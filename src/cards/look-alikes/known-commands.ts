import { readAsAscii } from './twins';

/** Commands that an attacker would imitate: short ones, and those that fetch, run, change or remove. */
const COMMANDS: ReadonlySet<string> = new Set(
  (
    'sh bash zsh dash ksh fish pwsh powershell cmd su sudo doas env eval exec source xargs nohup ssh scp sftp rsync nc ncat ' +
    'netcat telnet socat curl wget fetch ftp rm rmdir mv cp ln dd mkfs shred truncate chmod chown chgrp kill killall ' +
    'pkill reboot shutdown halt init mount umount tee cat head tail less more grep sed awk find ls cd ps id w who top ' +
    'vi vim nano ed ex emacs python python3 perl ruby node npm npx yarn pip pip3 php java go cargo gcc cc make git gh ' +
    'docker podman kubectl helm terraform aws gcloud az psql mysql sqlite3 redis apt apt-get yum dnf brew systemctl ' +
    'service crontab at useradd usermod passwd openssl gpg base64 iptables ip chroot nsenter export alias echo printf ' +
    'test tar zip unzip gzip man pico code open start'
  ).split(' '),
);

/** True if a person reads the word as a known command, in any script. */
export function isKnownCommand(word: string): boolean {
  return COMMANDS.has(readAsAscii(word).toLowerCase());
}
