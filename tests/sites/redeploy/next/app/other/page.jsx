import { Sign } from './sign';

export default function Page() { return <Sign />; }
