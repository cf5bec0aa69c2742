#: about: perl: fork, pipes, regular expressions, sockets, sort, local signals, alarm, file tests, sprintf
#: on: host pip
#: needs: perl
use strict;
use warnings;
use IO::Socket::INET;
use IO::Select;
use POSIX qw(:sys_wait_h floor strftime);
$| = 1;
my %count;
open(my $dict, '<', '/usr/share/common-licenses/GPL-3') or die "no input: $!";
while (<$dict>) { $count{lc $1}++ while /([A-Za-z]{3,})/g; }
my @top = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
print join(",", map { "$_=$count{$_}" } @top[0 .. 4]), "\n";
my @pids = map { my $n = $_; my $pid = fork // die; exit $n if !$pid; $pid } 1 .. 8;
print join(" ", map { waitpid($_, 0); $? >> 8 } @pids), "\n";
pipe(my $r, my $w) or die;
if (!fork) { close $r; print $w "line $_\n" for 1 .. 1000; exit 0 }
close $w;
my $sum = 0;
while (<$r>) { $sum += $1 if /(\d+)/ }
wait;
print "sum $sum status $?\n";
my $server = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1') or die "listen: $!";
if (!fork) {
  my $c = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $server->sockport) or die "connect: $!";
  print $c "ping $_\n" for 1 .. 3; $c->shutdown(1);
  print "client: $_" while <$c>;
  exit 0;
}
my $peer = $server->accept;
print "ready ", scalar(IO::Select->new($peer)->can_read(5)), "\n";
while (my $line = <$peer>) { $line =~ tr/a-z/A-Z/; print $peer $line }
close $peer;
wait;
my @got;
$SIG{ALRM} = sub { push @got, "alarm"; die "out of time\n" };
eval { alarm 1; select undef, undef, undef, 30; };
print "caught $@";
$SIG{USR1} = sub { push @got, "usr1" };
kill USR1 => $$;
print "@got\n";
my $out = `echo backquote; exit 3`;
print $out, $? >> 8, "\n";
open(my $to, '|-', 'sort -rn | head -3') or die; print $to "$_\n" for 1 .. 100; close $to;
open(my $from, '-|', 'perl', '-e', 'print "x" x 70000') or die; { local $/; print length(<$from>), "\n" } close $from;
system('sh', '-c', 'kill -9 $$'); print $? & 127, "\n";
print system('/nonexistent') == -1 ? "no such program: $!\n" : "?\n";
mkdir 'd'; open(my $f, '>', 'd/file') or die; print $f "text" x 1000; close $f;
print -s 'd/file', " ", -d 'd' ? "dir" : "", " ", (stat 'd/file')[2], "\n";
rename 'd/file', 'd/renamed'; symlink 'renamed', 'd/link'; print join(" ", sort glob 'd/*'), " ", readlink 'd/link', "\n";
print strftime("%Y-%m-%d", gmtime 1e9), sprintf(" %.10f %e %x", atan2(1, 1) * 4, 1 / 3, 255), "\n";
print join(",", sort { $a <=> $b } map { floor(sqrt $_ * 1000) } 1 .. 10), "\n";
my $text = "abc" x 2000; print scalar(() = $text =~ /(?<=a)b(?=c)/g), "\n";
local $SIG{CHLD} = 'IGNORE'; if (!fork) { exit 1 } print wait, "\n";
exec 'sh', '-c', 'echo executed; exit 12';
