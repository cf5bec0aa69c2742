#: about: perl: threads with shared data, pipes to many children, sockets, signals, flock, sorting
#: needs: perl
#: quick: 1
use strict; use warnings; use threads; use threads::shared;
use POSIX ":sys_wait_h"; use Fcntl ':flock'; use IO::Select; use Socket; use IO::Socket::UNIX; use Time::HiRes 'ualarm';
$| = 1;
my $sum :shared = 0; my %seen :shared;
my @threads = map { my $n = $_; threads->create(sub { for my $i (1 .. 500) { lock $sum; $sum += $i * $n } $seen{$n} = 1; $n * $n }) } 1 .. 6;
print join(' ', map { $_->join } @threads), " $sum ", join(',', sort keys %seen), "\n";
my @queue :shared; my $done :shared = 0;
my $reader = threads->create(sub { my $t = 0; while (1) { lock @queue; cond_wait(@queue) until @queue or $done; last unless @queue; $t += shift @queue } $t });
for (1 .. 200) { lock @queue; push @queue, $_; cond_signal(@queue) }
{ lock @queue; $done = 1; cond_broadcast(@queue) }
print "queue ", $reader->join, "\n";
my ($select, %number) = (IO::Select->new);
for my $n (1 .. 12) {
  my $pid = open(my $from, '-|') // die; if (!$pid) { print "$n " x (1000 * $n); exit $n }
  $number{$from} = $n; $select->add($from);
}
my ($bytes, $right) = (0, 0);
while ($select->count) {
  for my $from ($select->can_read) {
    if (my $got = sysread $from, my $text, 4096) { $bytes += $got; next }
    $select->remove($from); close $from; $right += $? >> 8 == $number{$from};
  }
}
print "$bytes bytes, $right right\n";
socketpair(my $here, my $there, AF_UNIX, SOCK_STREAM, 0) or die;
if (!fork) { close $here; while (<$there>) { chomp; syswrite $there, reverse($_) . "\n" } exit }
close $there; syswrite $here, "hello\n"; print scalar <$here>; close $here; wait; print "echo $?\n";
open my $log, '>', 'log' or die; $log->autoflush;
for my $n (1 .. 5) { if (!fork) { open my $mine, '>>', 'log' or die; for (1 .. 20) { flock $mine, LOCK_EX; print $mine "$n\n"; $mine->flush; flock $mine, LOCK_UN } exit } }
1 while wait > 0; my %lines; open $log, '<', 'log' or die; chomp, $lines{$_}++ while <$log>; close $log; unlink 'log'; print join(' ', map { "$_=$lines{$_}" } sort keys %lines), "\n";
my $alarms = 0; $SIG{ALRM} = sub { ualarm 0 if ++$alarms == 10 }; ualarm 2000, 2000; my $spin = 0; $spin++ while $alarms < 10; print "alarms\n";
local $SIG{CHLD} = sub { 1 while waitpid(-1, WNOHANG) > 0; $alarms = -1 }; if (!fork) { exit } select undef, undef, undef, 0.01 while $alarms >= 0; print "reaped\n";
eval { local $SIG{ALRM} = sub { die "time\n" }; ualarm 20000; sleep 10 }; print $@;
print join(' ', (sort { $a <=> $b } map { $_ * 7919 % 1009 } 1 .. 1000)[0 .. 9]), "\n";
kill 'TERM', $$; sleep 1;
